"""The stage `texture`: another model that paints the finished shape, at the end of `generate`."""

from __future__ import annotations

from dataclasses import dataclass

from dreamfusion_engine.config.setting import Stage, setting


@dataclass(frozen=True, kw_only=True)
class TextureConfig(Stage, stage="texture"):
    """How `generate` ends in a second stage. Without a `model` there is none, and nothing here counts."""

    model: str = setting(
        "",
        says="The model that paints the finished shape, named as `model` is; empty: the texture is the first model's",
    )
    base: str = setting("", says="What completes a single file, as `base` does for `model`")
    recipe: str = setting("", says="Name of the recipe of the texture model's family; empty: that of the model")
    steps: int = setting(
        0,
        low=0,
        high=1_000_000,
        unit="steps",
        says="Steps of painting; 0: those that the command `texture` has with that model",
    )
    scale: float = setting(
        0.0,
        low=0.0,
        high=1000.0,
        says="Strength of its guidance; 0: that which the command `texture` has with that model",
    )
