"""A picture of every kind from four sides: `python -m training.starter.contact_sheet FILE`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from dreamfusion_engine.scene.cameras import Cameras, orbit_cameras
from training.starter.objects.kinds import KINDS, Appearance, Kind, make_object
from training.starter.renderer import compose, render_objects

# Front, three quarters, side, back; degrees from the front, and above the horizon.
SIDES = ((0.0, 12.0), (40.0, 30.0), (90.0, 12.0), (180.0, 20.0))
_COLUMNS = 4  # kinds side by side
_LABEL = 18  # pixels of height
_BACKGROUND = 0.86


def side_cameras(device: torch.device) -> Cameras:
    """Return one camera for each of SIDES, at the middle of the training distances.

    device: torch.device of the cameras.
    """
    angles = torch.deg2rad(torch.tensor(SIDES, device=device))
    one = torch.ones(len(SIDES), device=device)
    return orbit_cameras(angles[:, 0], angles[:, 1], 3.2 * one, math.radians(40.0) * one)


def kind_views(kind: Kind, pixels: int, device: torch.device, seed: int = 0) -> torch.Tensor:
    """Return lit pictures float32[4, 3, pixels, pixels] in [0, 1] of one instance of a kind.

    kind: Kind.
    pixels: int, side of a picture.
    device: torch.device to trace on.
    seed: int, of the instance.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    colour = str(rng.choice(kind.colours)) if kind.colours else None
    parts = make_object(rng, kind, Appearance(colour=colour))
    cameras = side_cameras(device)
    light = cameras.position + torch.tensor([0.6, 0.0, 1.2], device=device)
    ambient = torch.full((len(SIDES),), 0.35, device=device)
    traced = render_objects([parts] * len(SIDES), cameras, light, ambient, pixels=pixels, samples=3)
    return compose(traced, torch.full((len(SIDES), 3), _BACKGROUND, device=device), "lambertian")


def contact_sheet(kinds: Sequence[Kind], pixels: int, device: torch.device, seed: int = 0) -> Image.Image:
    """Return one picture of several kinds, each a row of four sides over its name.

    kinds: Kinds.
    pixels: int, side of one view.
    device: torch.device to trace on.
    seed: int, of the instances.
    """
    cell_width, cell_height = pixels * len(SIDES), pixels + _LABEL
    rows = -(-len(kinds) // _COLUMNS)
    gap = 8
    grey = round(255 * _BACKGROUND)
    size = (_COLUMNS * (cell_width + gap), rows * (cell_height + gap))
    sheet = Image.new("RGB", size, (grey, grey, grey))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=_LABEL - 5)
    for i, kind in enumerate(kinds):
        x, y = i % _COLUMNS * (cell_width + gap), i // _COLUMNS * (cell_height + gap)
        strip = torch.cat(list(kind_views(kind, pixels, device, seed)), dim=2)
        array = (strip.permute(1, 2, 0).clamp(0.0, 1.0) * 255.0 + 0.5).to(torch.uint8).cpu().numpy()
        sheet.paste(Image.fromarray(array), (x, y))
        draw.text((x + 6, y + pixels), kind.names[0], fill=(40, 40, 40), font=font)
    return sheet


def main() -> None:
    """Write the contact sheet that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="picture to write")
    parser.add_argument("--pixels", type=int, default=96, help="side of one view")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(KINDS, arguments.pixels, torch.device("cpu"), arguments.seed).save(arguments.file)


if __name__ == "__main__":
    main()
