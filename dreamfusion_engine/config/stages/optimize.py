"""The stage `optimize`: the training loop."""

from __future__ import annotations

from dataclasses import dataclass

from dreamfusion_engine.config.setting import Shown, Stage, setting

_REGULARISERS = "Regularisers"


@dataclass(frozen=True, kw_only=True)
class OptimizeConfig(Stage, stage="optimize"):
    """The training loop."""

    steps: int = setting(
        1200,
        low=1,
        high=1_000_000,
        unit="steps",
        says="Training steps",
        shown=Shown(label="Steps", says="Training steps. More is slower and finer", usual=(100, 15_000)),
    )
    views: int = setting(
        2,
        low=1,
        high=64,
        unit="views",
        says="Views a step, B",
        shown=Shown(
            label="Views per Step",
            says="Renders per step, each from another side. More is slower, steadier and takes more memory",
            usual=(None, 8),
        ),
    )
    resolution: tuple[int, int] = setting(
        (32, 48),
        low=8,
        high=1024,
        unit="pixels",
        says="Side of a square render, in the first and in the second half of training",
        shown=Shown(
            label="Resolution",
            says="Pixels along a render's side, in the first and in the second half of training",
            usual=(None, 128),
        ),
    )
    learning_rate: float = setting(
        0.015,
        above=0.0,
        high=1.0,
        says="Learning rate of Adam for hash grid and MLP (betas 0.9, 0.99, eps 1e-15)",
        shown=Shown(
            label="Learning Rate",
            says="Size of the optimizer's steps. Lower it when the object breaks up",
            usual=(None, 0.1),
            digits=4,
            step=0.001,
        ),
    )
    albedo_until: float = setting(
        0.2,
        low=0.0,
        high=1.0,
        unit="share of training",
        says="Until when there is no lighting",
        shown=Shown(label="Unlit Until", says="Part of the training without lighting, at its start"),
    )
    textureless: float = setting(
        0.2,
        low=0.0,
        high=1.0,
        unit="share of lit steps",
        says="Steps that are rendered without albedo",
        shown=Shown(
            label="White Clay",
            says="Share of the lit renders without colour, so that the shape itself has to be right",
        ),
    )
    # Weights of regularisers are given for a score of size 1 and grow with the score (`guidance.score_size`).
    orientation: float = setting(
        0.1,
        low=0.0,
        high=1e6,
        unit="weight",
        says="Weight of the orientation loss",
        shown=Shown(
            label="Orientation",
            says="Penalty for surfaces that face away from the camera and still show",
            group=_REGULARISERS,
            usual=(None, 10.0),
            digits=4,
        ),
    )
    smoothness: float = setting(
        0.04,
        low=0.0,
        high=1e6,
        unit="weight",
        says="Weight of the differences between neighbouring normals, at the end",
        shown=Shown(
            label="Smoothness",
            says="Penalty for ripples of the surface. Too high rounds edges off",
            group=_REGULARISERS,
            usual=(None, 10.0),
            digits=4,
        ),
    )
    opacity: float = setting(
        0.012,
        low=0.0,
        high=1e6,
        unit="weight",
        says="Weight of sqrt((sum w)^2 + 0.01) once the object stands; more at first, see `pace`",
        shown=Shown(
            label="Emptiness",
            says="Penalty for filling space. Higher gives a smaller and cleaner object, too high lets it vanish",
            group=_REGULARISERS,
            usual=(None, 1.0),
            digits=4,
            step=0.001,
        ),
    )
    entropy: float = setting(
        1.2,
        low=0.0,
        high=1e6,
        unit="weight",
        says="Weight of the ray opacity's binary entropy, at the end",
        shown=Shown(
            label="Sharpness",
            says="Penalty for haze, from the middle of the training on",
            group=_REGULARISERS,
            usual=(None, 10.0),
            digits=3,
        ),
    )
    levels_until: float = setting(
        0.3,
        low=0.0,
        high=1.0,
        unit="share of training",
        says="When every level of the hash grid is open",
        shown=Shown(label="Coarse Until", says="Part of the training by which the finest details are allowed"),
    )
    gradient_clip: float = setting(
        1.0,
        low=0.0,
        high=1e6,
        says="Largest norm of the gradient; 0: off",
        shown=Shown(
            label="Gradient Clip",
            says="Largest change that one step may ask for. 0 is no limit",
            usual=(None, 10.0),
        ),
    )
