"""A training small enough for a test, and teachers whose right answer is known."""

from __future__ import annotations

from typing import Any

import torch
from reference.gaussian_teacher import GaussianTeacher

from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.models.teacher import Conditioning

CPU = torch.device("cpu")
SIZE = 16


def tiny_config(steps: int = 30, views_at_once: int = 0, **optimize: Any) -> GenerateConfig:
    return preset(
        "draft",
        "a ball",
        {
            "field": {"levels": 4, "log2_table": 10, "finest_resolution": 32, "hidden": 16},
            "render": {"steps": 32, "occupancy_resolution": 16},
            "guidance": {"scale": 1.0, "rescale": 0.0},
            "optimize": {"steps": steps, "views": 1, "resolution": [SIZE, SIZE], **optimize},
            "checkpoint_every": 10,
            "memory": {"views_at_once": views_at_once},
        },
    )


def disc_teacher() -> GaussianTeacher:
    """A model that expects a red disc from every side, over any of 27 background colours: a red ball."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, SIZE), torch.linspace(-1, 1, SIZE), indexing="ij")
    inside = (x.square() + y.square() < 0.35).float()
    red = torch.tensor([0.8, -0.6, -0.6])[:, None, None]
    levels = torch.linspace(-1, 1, 3)
    backgrounds = torch.cartesian_prod(levels, levels, levels)[:, :, None, None]
    return GaussianTeacher(red * inside + backgrounds * (1.0 - inside), 0.3)


class BrokenTeacher(GaussianTeacher):
    def predict_noise(self, x_t: torch.Tensor, t: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
        return super().predict_noise(x_t, t, conditioning) * float("nan")
