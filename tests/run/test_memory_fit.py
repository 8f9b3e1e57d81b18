"""A run's settings are changed only where its memory is short, and the artist is told."""

from __future__ import annotations

from typing import Any

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.models.sizes import ModelSizes
from dreamfusion_engine.run.memory_fit import fit_memory


def test_a_run_fits_the_memory_of_each_place() -> None:
    sizes = ModelSizes(denoiser=10**6, text_encoders=0)
    told: list[Any] = []
    config = preset("standard", "a mug", {}, "StableDiffusionPipeline")
    assert fit_memory(config, sizes, 1 << 36, "xpu+cpu", told.append, 1 << 36) == config and told == []
    fitted = fit_memory(config, sizes, 1 << 36, "xpu+cpu", told.append, 1 << 28)
    assert fitted.optimize.resolution != config.optimize.resolution or fitted.memory.views_at_once
    assert len(told) == 1
