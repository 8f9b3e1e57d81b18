"""The stage `render`: ray marching and shading."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from dreamfusion_engine.config.setting import Stage, require, setting

Shading = Literal["albedo", "lambertian", "textureless"]  # of a render, and of what a prompt speaks of


@dataclass(frozen=True, kw_only=True)
class RenderConfig(Stage, stage="render"):
    """Ray marching and shading."""

    steps: int = setting(
        64, low=8, high=1024, unit="samples", says="Samples along the box's width, which is 2: step length = 2 / steps"
    )
    occupancy_resolution: int = setting(
        48, low=8, high=256, unit="cells", says="Cells of the occupancy grid along the box"
    )
    occupancy_threshold: float = setting(
        0.01, low=0.0, below=0.5, unit="opacity", says="Opacity of one step under which a cell is skipped"
    )
    occupancy_every: int = setting(
        8, low=1, high=1000, unit="training steps", says="Steps between updates of the occupancy grid"
    )
    max_samples_per_ray: int = setting(
        128, low=1, high=4096, unit="samples", says="Most samples of a ray; enough for the box's longest ray"
    )

    def check_together(self) -> None:
        """The longest ray has room."""
        diagonal = math.ceil(math.sqrt(3.0) * self.steps) + 1  # steps along the box's longest ray
        most = self.max_samples_per_ray
        needs = f"at least {diagonal} for {self.steps} steps"
        require(diagonal <= most, "render.max_samples_per_ray", most, needs)
