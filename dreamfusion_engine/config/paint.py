"""Settings of a run that paints meshes which are there, beside those that it shares with `generate`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dreamfusion_engine.config.stages import GenerateConfig, require

STEPS_SHARE = 0.4  # of a generate run's steps: colours alone settle sooner than colours and shape


@dataclass(frozen=True, kw_only=True)
class PaintConfig:
    """How meshes are painted."""

    uv: Literal["keep", "new"] = "keep"  # the meshes' own UVs, or new ones; a mesh without UVs gets new ones
    front_deg: float = 0.0  # the side that is the front, counter-clockwise from above; 0: -Y, in Blender's front view
    samples: int = 2  # samples along a pixel's side in training

    def __post_init__(self) -> None:
        require(self.uv in ("keep", "new"), "paint.uv", self.uv, "'keep' or 'new'")
        require(
            math.isfinite(self.front_deg) and abs(self.front_deg) <= 360.0,
            "paint.front_deg",
            self.front_deg,
            "in [-360, 360]",
        )
        require(1 <= self.samples <= 4, "paint.samples", self.samples, "in [1, 4]")


def painting(config: GenerateConfig, given: Mapping[str, Any]) -> GenerateConfig:
    """Return a generate run's settings as those of a run that paints: fewer steps, lit from the start, never in white.

    config: GenerateConfig of the preset, the recipe and what was given.
    given: settings that the person gave, nested by stage; they stay as they are.
    """
    optimize = dict(given.get("optimize", {}))
    changes: dict[str, Any] = {
        "steps": max(1, round(STEPS_SHARE * config.optimize.steps)),
        "albedo_until": 0.0,
        "textureless": 0.0,
    }
    kept = {name: value for name, value in changes.items() if name not in optimize}
    return dataclasses.replace(config, optimize=dataclasses.replace(config.optimize, **kept))
