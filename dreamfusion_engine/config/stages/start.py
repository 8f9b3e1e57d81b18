"""The stage `start`: a run that begins from a mesh of the artist's."""

from __future__ import annotations

from dataclasses import dataclass

from dreamfusion_engine.config.setting import Shown, Stage, setting


@dataclass(frozen=True, kw_only=True)
class StartConfig(Stage, stage="start"):
    """How a given mesh, the blockout, leads the run. Without one, nothing here counts."""

    lock: float = setting(
        0.5,
        low=0.0,
        high=1.0,
        unit="share",
        says="How strongly the blockout's shape holds: 1 keeps it, 0 leaves the size and the place only",
        shown=Shown(
            label="Lock",
            says="How strongly the chosen shape holds. 1 keeps it, 0 takes its size and place only",
        ),
    )
    fade: float = setting(
        1.0,
        low=0.0,
        high=1.0,
        unit="share",
        says="Share of the lock that is lost by the end of training, below lock 1",
        shown=Shown(
            label="Fade",
            says="How much of the lock is lost by the end of training. A lock of 1 does not fade",
        ),
    )
    front_deg: float = setting(
        0.0,
        low=-360.0,
        high=360.0,
        unit="degrees",
        says="The blockout's side that is the front, counter-clockwise from above; 0: -Y, as in Blender's front view",
    )
