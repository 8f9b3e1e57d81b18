"""How much seeing the other views helps: `python -m training.multiview.measure FOLDER`.

Prints the mean squared error of the denoised picture, in [-1, 1], on groups of four that no training has seen, by noise
level. The same pictures and noise go to the model in FOLDER as groups, as groups told no words for the camera, and to
the starter, which judges each picture alone, told its exact camera in words.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.load import load_teacher
from dreamfusion_engine.models.multi_view import VIEWS
from dreamfusion_engine.models.noise import add_noise
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER, open_pipeline
from training.multiview.model import cameras_told
from training.starter.captions import describe
from training.starter.corpus import Corpus, Label
from training.starter.objects.kinds import STARTER_KINDS, kinds_named

HELD_OUT_SEED = 800_001  # of the pictures
LEVELS = (200, 400, 600, 700, 800, 900)  # timesteps


def held_out(count: int, pixels: int) -> tuple[Tensor, list[Label]]:
    """Return pictures float32[count, 3, pixels, pixels] in [0, 1] in groups of four, and their labels.

    count: int, a multiple of four.
    pixels: int, side of a picture.
    """
    corpus = Corpus(
        pixels=pixels,
        capacity=count,
        fresh=0.0,
        seed=HELD_OUT_SEED,
        device=torch.device("cpu"),
        kinds=kinds_named(STARTER_KINDS),
        group=VIEWS,
    )
    return corpus.pictures(count)


@torch.no_grad()
def errors(teacher: Adapter, pictures: Tensor, labels: Sequence[Label], *, words: bool = True) -> list[float]:
    """Return the mean squared error of the denoised picture at each of LEVELS.

    teacher: of single pictures, or of groups.
    pictures, labels: from `held_out`.
    words: bool, whether captions name the exact camera.
    """
    texts = [describe(x.kind, x.appearance) + (f", {x.camera}" if words else "") for x in labels]
    told = teacher.encode_prompts(texts)
    if teacher.parts.family.views_together > 1:
        told = told.seen_from(cameras_told([x.azimuth for x in labels], [x.elevation for x in labels], views=VIEWS))
    clean = teacher.to_model_space(pictures)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    found = []
    for level in LEVELS:
        t = torch.full((len(clean),), level)
        alpha, sigma = teacher.schedule.at(t)
        x_t = add_noise(clean, noise, alpha, sigma)
        seen = teacher.predict_noise(x_t, t, told)
        found.append(float(((x_t - sigma * seen) / alpha - clean).square().mean()))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="pipeline folder of the multi-view model")
    parser.add_argument("--pictures", type=int, default=128)
    given = parser.parse_args()
    device = torch.device("cpu")
    ours, starter = (
        load_teacher(open_pipeline(folder), device, precision="float32") for folder in (given.folder, STARTER_FOLDER)
    )
    pictures, labels = held_out(given.pictures, ours.image_size)
    rows = {
        "starter, each alone": errors(starter, pictures, labels),
        "groups": errors(ours, pictures, labels),
        "groups, no words for cameras": errors(ours, pictures, labels, words=False),
        "starter, no words for cameras": errors(starter, pictures, labels, words=False),
    }
    print(f"{'t':>30}", *(f"{level:>8}" for level in LEVELS))
    for name, row in rows.items():
        print(f"{name:>30}", *(f"{each:8.4f}" for each in row))


if __name__ == "__main__":
    main()
