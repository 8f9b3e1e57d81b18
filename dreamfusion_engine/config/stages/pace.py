"""The stage `pace`: when the parts of training take effect."""

from __future__ import annotations

from dataclasses import dataclass

from dreamfusion_engine.config.setting import Stage, setting

_PART = "share of training"


@dataclass(frozen=True, kw_only=True)
class PaceConfig(Stage, stage="pace"):
    """The times at which the parts of training take effect, as shares of training."""

    lit: float = setting(
        0.75,
        low=0.0,
        high=1.0,
        unit="share",
        says="Share of lit steps, once there is light (DreamFusion, App. A.2)",
    )
    opacity_start: float = setting(10.0, low=0.0, high=1000.0, says="Times the opacity weight at first")
    opacity_until: float = setting(
        0.4, low=0.0, high=1.0, unit=_PART, says="When that has fallen to once the weight; 0: once it from the start"
    )
    # An undecided field must be free to move until its shape stands.
    entropy_from: float = setting(
        0.4, low=0.0, high=1.0, unit=_PART, says="When the entropy loss begins; it has its full weight at the end"
    )
    smoothness_from: float = setting(
        0.3, low=0.0, high=1.0, unit=_PART, says="When the smoothness loss begins; it has its full weight at the end"
    )
    orientation_start: float = setting(
        0.01,
        low=0.0,
        high=1.0,
        unit="share",
        says="Share of the orientation weight at first: 1e-4 of 1e-2 (DreamFusion, App. A.2)",
    )
    orientation_until: float = setting(
        1.0 / 3.0,
        low=0.0,
        high=1.0,
        unit=_PART,
        says="When the orientation loss has all of its weight: after 5k of 15k steps (DreamFusion, App. A.2)",
    )
