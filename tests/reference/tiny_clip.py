"""Random CLIPs small enough for a test, as folders of the real class."""

from __future__ import annotations

from pathlib import Path

import torch

from dreamfusion_engine.models.card_file import CARD_NAME
from training.judge.network import JudgeSize, make_judge, save_judge

SIZE = JudgeSize(pixels=24, patch=8, width=16, layers=2, heads=2, vector=8)


def write_tiny_clip(folder: Path, seed: int = 0, *, card: bool = False, size: JudgeSize = SIZE) -> Path:
    """Write a CLIPModel with random weights, large enough ones that pictures and words matter; return its folder.

    folder: Path.
    seed: int, of the weights.
    card: bool, whether it says that it knows the corpus's words only.
    size: JudgeSize of its towers.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make_judge(size)
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and "logit" not in name:
                torch.nn.init.normal_(parameter, std=0.5)
    save_judge(model, folder)
    if not card:
        (folder / CARD_NAME).unlink()
    return folder
