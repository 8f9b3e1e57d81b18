"""A judge of any shape is trained, stops and goes on from its checkpoint, and can then judge."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from dreamfusion_engine.judge.model import load_judge
from training.judge import train

SMALL = "--pixels 16 --patch 8 --width 16 --layers 1 --text-layers 1 --heads 2 --vector 8 --batch 4 --capacity 16"


@pytest.mark.slow
def test_a_judge_of_another_shape_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def trained(images: int) -> None:
        words = ["train", "--output", str(tmp_path), "--images", str(images), "--device", "cpu", *SMALL.split()]
        monkeypatch.setattr(sys, "argv", [*words, "--parts", "0.5", "--seed", "7"])
        train.main()

    trained(80)
    trained(160)
    vision, text = (
        getattr(load_judge(tmp_path / "judge").model.config, f"{name}_config") for name in ("vision", "text")
    )
    assert (vision.image_size, vision.patch_size, vision.hidden_size, text.num_hidden_layers) == (16, 8, 16, 1)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["images"] for row in rows] == [80, 160], "twenty steps each, and none was made twice"
