"""The stage `guidance`: score distillation from the diffusion model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dreamfusion_engine.config.scores import SCORES, Score
from dreamfusion_engine.config.setting import Shown, Stage, setting

Annealing = Literal["linear", "sqrt", "step"]
Weighting = Literal["uniform", "sigma_squared", "alpha_sigma", "reconstruction"]
ViewPrompts = Literal["nearest", "interpolated", "off"]


@dataclass(frozen=True, kw_only=True)
class GuidanceConfig(Stage, stage="guidance"):
    """Score distillation from the diffusion model."""

    score: Score = setting(
        "sds",
        says="What the denoiser's predictions are made into",
        shown=Shown(
            label="Score",
            says="What the model's predictions are made into",
            words={name: (record.label, record.says) for name, record in SCORES.items()},
        ),
    )
    scale: float = setting(
        7.0,
        low=0.0,
        high=1000.0,
        says="Classifier-free guidance w: e_u + w (e_c - e_u)",
        shown=Shown(
            label="Scale",
            says="How strictly the object follows the prompt. Too high gives garish colours, too low gives a blur",
            usual=(1.0, 100.0),
            digits=1,
            step=0.5,
        ),
    )
    scale_kept: float = setting(
        0.2,
        low=0.0,
        high=1.0,
        unit="share",
        says="Share of w - 1 left at the end; it falls from anneal_until on",
        shown=Shown(
            label="Scale Kept",
            says="Share of the scale that is left at the end of training. Less gives truer colours",
        ),
    )
    rescale: float = setting(
        0.6,
        low=0.0,
        high=1.0,
        unit="share",
        says="Share of the guided x0 rescaled to the conditional's spread (arXiv 2305.08891, eq. 15-16)",
        shown=Shown(
            label="Rescale",
            says="Share of the guided picture that is brought back to natural contrast. Higher is less saturated",
        ),
    )
    t_max: tuple[float, float] = setting(
        (0.98, 0.3),
        above=0.0,
        below=1.0,
        unit="shares of all timesteps",
        says="Upper end of the timestep range, at the start and at the end of training",
        shown=Shown(
            label="Noise Max",
            says="Most noise that a render gets, at the start and at the end of training. Decides the overall shape",
            digits=3,
        ),
    )
    t_min: tuple[float, float] = setting(
        (0.5, 0.02),
        above=0.0,
        below=1.0,
        under="t_max",
        unit="shares of all timesteps",
        says="Lower end of the timestep range, at the start and at the end of training",
        shown=Shown(
            label="Noise Min",
            says="Least noise that a render gets, at the start and at the end of training. Decides the details",
            digits=3,
        ),
    )
    anneal_until: float = setting(
        0.7,
        above=0.0,
        high=1.0,
        unit="share of training",
        says="When the timestep range reaches its end values",
        shown=Shown(
            label="Anneal Until",
            says="Part of the training after which the noise range is at its end and the scale begins to fall",
        ),
    )
    annealing: Annealing = setting(
        "linear",
        says="How the timestep range moves: at an even pace, by a square root (fast, then slow), or in one step",
        shown=Shown(
            label="Annealing",
            says="How the noise range moves from its start to its end",
            words={
                "linear": ("Even", "At one pace"),
                "sqrt": ("Fast First", "Fast at first, then slower. Details begin earlier"),
                "step": ("In One Step", "At its start until Anneal Until, then at its end"),
            },
        ),
    )
    weighting: Weighting = setting(
        "uniform",
        says="Weight w(t) of a timestep: 1, sigma_t^2, alpha_t sigma_t or sigma_t / alpha_t",
        shown=Shown(
            label="Weighting",
            says="How much each noise level counts",
            words={
                "uniform": ("Uniform", "Every noise level counts the same. Sharper details"),
                "sigma_squared": ("Sigma Squared", "Noisy levels count more, as in the DreamFusion paper"),
                "alpha_sigma": ("Alpha Sigma", "Middle levels count most"),
                "reconstruction": (
                    "Reconstruction",
                    "The distance to the model's picture, at every noise level",
                ),
            },
        ),
    )
    view_prompts: ViewPrompts = setting(
        "nearest",
        says='Words for the view, such as "front view": those of the nearest, mixed by angle, or none',
        shown=Shown(
            label="View Prompts",
            says="Add front, side, back or overhead view to the prompt, against objects with several faces",
            words={
                "nearest": ("Nearest View", "The words of the view that is nearest to each camera"),
                "interpolated": ("Interpolated", "The words of neighbouring views, mixed by the camera's angle"),
                "off": ("Off", "The prompt alone"),
            },
        ),
    )
    perp_neg: Literal["auto", "on", "off"] = setting(
        "auto",
        says="Other views as negative prompts (Perp-Neg)",
        shown=Shown(
            label="Perp-Neg",
            says="Push other views' features away from each view, against objects with several faces. Slower",
            words={
                "auto": ("Automatic", "On for full checkpoints, off for the built-in model"),
                "on": ("On", "Always"),
                "off": ("Off", "Never"),
            },
        ),
    )
