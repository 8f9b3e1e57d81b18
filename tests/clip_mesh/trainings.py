"""Tiny trainings of a sphere with a tiny random CLIP, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dreamfusion_engine.clip_mesh.training import ClipMeshTraining
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.recipes import CLIP_MESH_RECIPE
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.guidance.clip.comparison import ClipGuidance
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.load import load_clip
from dreamfusion_engine.models.pipeline_folder import open_pipeline

CPU = torch.device("cpu")
PROMPT = "a red mug with a blue handle"
# Near cameras of an object in the middle: a few pixels must be enough to see it.
SETTINGS: dict[str, Any] = {
    "sphere": {"level": 1, "limit": 1, "maps": 32, "offset": 0.1},
    "optimize": {"steps": 8, "views": 4, "resolution": [24, 24]},
    "camera": {"distance": [3.0, 3.4], "fov_deg": [40.0, 44.0]},
    "mesh": {"triangles": 400},
}


def settings(**changes: dict[str, Any]) -> GenerateConfig:
    """The settings of a tiny run, with changes by stage."""
    given = {stage: {**SETTINGS.get(stage, {}), **changes.get(stage, {})} for stage in {*SETTINGS, *changes}}
    return preset("draft", PROMPT, given, CLIP_MESH_RECIPE)


def guidance(folder: Path, config: GenerateConfig) -> ClipGuidance:
    """A folder's CLIP with the prompt."""
    teacher = load_clip(open_pipeline(folder), CPU)
    return ClipGuidance(teacher, config.prompt, PromptCard(), config.guidance, config.clip)


def training(config: GenerateConfig | None = None, *, bent: float = 0.0, seed: int = 0) -> ClipMeshTraining:
    """A training at its beginning; `bent`: how far control vertices are moved at random, and bumps in proportion."""
    made = ClipMeshTraining(config or settings(), seed=seed, device=CPU)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        made.field.control.add_(bent * torch.randn(made.field.control.shape, generator=generator))
        made.field.normal.add_(25.0 * bent * torch.randn(made.field.normal.shape, generator=generator))
    return made
