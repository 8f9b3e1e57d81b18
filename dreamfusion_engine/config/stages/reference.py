"""The stage `reference`: how given pictures lead the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from dreamfusion_engine.config.setting import Stage, setting

KnownPose = Literal["zero123", "stable-zero123"]
KNOWN_POSES: tuple[KnownPose, ...] = get_args(KnownPose)
Pose = Literal["auto", "zero123", "stable-zero123"]


@dataclass(frozen=True, kw_only=True)
class ReferenceConfig(Stage, stage="reference"):
    """How strongly the object is held to given pictures, where these were taken. Without one, nothing here counts."""

    begin: float = setting(
        0.2,
        low=0.0,
        high=0.9,
        unit="share of training",
        says="The prompt begins alone; then pictures count, at the size of what has come. 0: at once, at a guessed one",
    )
    colour: float = setting(
        50.0, low=0.0, high=1e6, unit="weight", says="Weight of the squared differences of colour from a picture"
    )
    mask: float = setting(
        50.0, low=0.0, high=1e6, unit="weight", says="Weight of the squared differences of opacity from its mask"
    )
    normals: float = setting(
        0.05,
        low=0.0,
        high=1e6,
        unit="weight",
        says="Weight of the differences between neighbouring normals in a picture's view, at the end",
    )
    depth: float = setting(
        0.05,
        low=0.0,
        high=1e6,
        unit="weight",
        says="Weight of the bends of the depth along rows and columns in a picture's view, at the end",
    )
    resolution: int = setting(
        64, low=8, high=512, unit="pixels", says="Side of the render that is compared with a picture"
    )
    texture: float = setting(
        1.0,
        low=0.0,
        high=1.0,
        unit="share",
        says="Share of a picture's own colours in the texture, where its camera sees the surface; 0: none",
    )
    pose: Pose = setting(
        "auto",
        says="Poses of a model that is told a picture: Zero123's or Stable Zero123's; 'auto': as the catalogue says",
    )
    every: int = setting(1, low=1, high=1000, unit="steps", says="Steps from one look at a picture to the next")
