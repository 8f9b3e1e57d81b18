"""A multi-view pixel model at tiny size with random weights, and its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reference.tiny_pipeline import tiny_pipeline

from dreamfusion_engine.models.multi_view import PIXEL_FAMILY, TOLD_CAMERAS


def multi_view_unet() -> Any:
    """The tiny pipeline's unet, told cameras."""
    import torch
    from diffusers import UNet2DConditionModel

    torch.manual_seed(3)
    config = {name: value for name, value in tiny_pipeline().unet.config.items() if not name.startswith("_")}
    return UNet2DConditionModel(**{**config, **TOLD_CAMERAS}).eval()


def write_multi_view_pixel(folder: Path) -> None:
    """Write the folder.

    folder: Path to make.
    """
    pipeline = tiny_pipeline()
    pipeline.unet = multi_view_unet()
    pipeline.save_pretrained(folder)
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": PIXEL_FAMILY}), encoding="utf-8")
