"""The model that ships is a pipeline that anyone's diffusers loads and samples, called as everyone calls it."""

from __future__ import annotations

import json

import pytest
import torch

from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER


@pytest.mark.slow
@pytest.mark.parametrize("asked", [None, torch.float16], ids=["plain", "half"])
def test_the_starter_samples_with_stock_diffusers(asked: torch.dtype | None) -> None:
    from diffusers import DiffusionPipeline

    if asked is None:
        pipeline = DiffusionPipeline.from_pretrained(STARTER_FOLDER)
    else:
        pipeline = DiffusionPipeline.from_pretrained(STARTER_FOLDER, torch_dtype=asked)
    assert pipeline.unet.dtype == pipeline.text_encoder.dtype == (asked or torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    drawn = pipeline("a mushroom", num_inference_steps=2, output_type="pt", generator=torch.Generator().manual_seed(0))
    assert drawn.images.shape == (1, 3, 32, 32)
    assert torch.isfinite(drawn.images).all() and drawn.images.std() > 0.1, "a picture, not one colour"


def test_the_starter_names_the_type_that_its_text_encoder_is_loaded_in() -> None:
    """transformers 5 loads in the type of the config; diffusers loads the unet in float32 unless it is told another."""
    config = json.loads((STARTER_FOLDER / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    assert config["dtype"] == "float32"
