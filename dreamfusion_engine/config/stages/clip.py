"""The stage `clip`: how a teacher that compares pictures with words is shown the renders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dreamfusion_engine.config.setting import Stage, setting


@dataclass(frozen=True, kw_only=True)
class ClipConfig(Stage, stage="clip"):
    """What a CLIP sees of a render, and how empty it must be, as in Dream Fields (arXiv 2112.01455) or CLIP-Mesh."""

    crops: int = setting(4, low=1, high=64, unit="crops", says="Crops of each view, each over a background of its own")
    crop: float = setting(
        154 / 168,
        above=0.1,
        high=1.0,
        unit="share of the side",
        says="Size of a crop (Dream Fields: 154 of 168 pixels)",
    )
    blur: float = setting(
        10 / 168,
        low=0.0,
        high=1.0,
        unit="share of the side",
        says="Most that a background is blurred, the standard deviation (Dream Fields: 10 pixels)",
    )
    third: Literal["clouds", "plain"] = setting(
        "clouds",
        says="Backgrounds beside noise and checkerboards: coloured clouds (Dream Fields), or one colour (CLIP-Mesh)",
    )
    transmittance: float = setting(
        0.0, low=0.0, high=100.0, says="Weight of the reward for pictures that one sees through: -min(target, T)"
    )
    target: tuple[float, float] = setting(
        (0.40, 0.88),
        rising=True,
        low=0.0,
        high=1.0,
        unit="share of the picture",
        says="T from which on there is no more reward, at the start and from target_until on",
    )
    target_until: float = setting(
        0.05,
        low=0.0,
        high=1.0,
        unit="share of training",
        says="When the target has its end value (Dream Fields: after 500 of 10,000 steps)",
    )
