"""Settings of a run: frozen dataclasses, one for each stage, in a file of its name.

Every field is declared with its unit, its range and what it does (`config.setting`). Angles are degrees here, because
people read this; radians inside. The object lives in [-1, 1]^3, so one world unit is half the box.
`config.presets` reads and writes them, and gives the three presets, with the recipe of a model's family over them.
"""

from __future__ import annotations

from dreamfusion_engine.config.stages.adapters import AdaptersConfig
from dreamfusion_engine.config.stages.camera import CameraConfig
from dreamfusion_engine.config.stages.clip import ClipConfig
from dreamfusion_engine.config.stages.field import FieldConfig
from dreamfusion_engine.config.stages.generate import GenerateConfig, Method, views_at_once
from dreamfusion_engine.config.stages.guidance import Annealing, GuidanceConfig, ViewPrompts, Weighting
from dreamfusion_engine.config.stages.memory import DenoiserRuntime, MemoryConfig, Offload, Precision
from dreamfusion_engine.config.stages.mesh import MeshConfig
from dreamfusion_engine.config.stages.optimize import OptimizeConfig
from dreamfusion_engine.config.stages.pace import PaceConfig
from dreamfusion_engine.config.stages.prompts import PromptsConfig
from dreamfusion_engine.config.stages.reference import ReferenceConfig
from dreamfusion_engine.config.stages.refine import RefineConfig
from dreamfusion_engine.config.stages.render import RenderConfig, Shading
from dreamfusion_engine.config.stages.score import ScoreConfig
from dreamfusion_engine.config.stages.sphere import SphereConfig
from dreamfusion_engine.config.stages.start import StartConfig
from dreamfusion_engine.config.stages.texture import TextureConfig

__all__ = [
    "AdaptersConfig",
    "Annealing",
    "CameraConfig",
    "ClipConfig",
    "DenoiserRuntime",
    "FieldConfig",
    "GenerateConfig",
    "GuidanceConfig",
    "MemoryConfig",
    "MeshConfig",
    "Method",
    "Offload",
    "OptimizeConfig",
    "PaceConfig",
    "Precision",
    "PromptsConfig",
    "ReferenceConfig",
    "RefineConfig",
    "RenderConfig",
    "ScoreConfig",
    "Shading",
    "SphereConfig",
    "StartConfig",
    "TextureConfig",
    "ViewPrompts",
    "Weighting",
    "views_at_once",
]
