"""Recipes of models that are told a picture of the object and how far a view is from it: Zero123, Stable Zero123."""

from __future__ import annotations

from dreamfusion_engine.config.recipes import names
from dreamfusion_engine.config.recipes.large import LARGE, LARGE_PRESETS, LARGE_SCORES
from dreamfusion_engine.config.recipes.recipe import Recipe, Settings

# Weights of TS's losses are divided by that of its score, by the 1,024 pixels of a latent and by the size of the score,
# about 0.47 (guidance/score_size.py): 1 beside 0.1 of the score is 0.021 here. Its colours are a mean over channels.
_STABLE_ZERO123 = "TS, stable-zero123"
_TOLD_PICTURE: Settings = {
    **LARGE,
    "guidance.scale": (3.0, _STABLE_ZERO123),
    "guidance.view_prompts": ("off", "TS: the model reads no words"),
    "guidance.perp_neg": ("off", "TS: the model reads no words"),
    "camera.distance": ((4.6, 4.6), "ours: one picture's object then has three quarters of the view; TS 3.8"),
    "camera.fov_deg": ((20.0, 20.0), _STABLE_ZERO123),
    "camera.target_jitter": (0.0, _STABLE_ZERO123),
    "field.background": ("white", "arXiv 2303.11328: the model's pictures are over white"),
    "optimize.albedo_until": (1.0, f"{_STABLE_ZERO123}: colours without light"),
    "optimize.textureless": (0.0, f"{_STABLE_ZERO123}: .05; without light it does nothing"),
    "optimize.opacity": (0.01, f"{_STABLE_ZERO123}: 0.5 beside 0.1 of the score"),
    "optimize.orientation": (0.02, f"{_STABLE_ZERO123}: 1 beside 0.1 of the score"),
    "optimize.learning_rate": (0.01, _STABLE_ZERO123),
    "reference.begin": (0.0, f"{_STABLE_ZERO123}: the picture counts from the first step"),
}

ZERO123 = Recipe(
    title="Zero123",
    family=names.ZERO123,
    words=False,
    settings={
        **_TOLD_PICTURE,
        "guidance.t_max": ((0.98, 0.98), "TS, zero123: .98 throughout"),
        "guidance.t_min": ((0.02, 0.02), "TS, zero123: .02 throughout"),
        "camera.elevation_deg": ((-10.0, 60.0), "TS, zero123"),
        "reference.pose": ("zero123", "arXiv 2303.11328"),
        "reference.colour": (64.0, "TS, zero123: 200 beside 0.003 of the score"),
        "reference.mask": (48.0, "TS, zero123: 50 beside 0.003 of the score"),
    },
    presets={
        **LARGE_PRESETS,
        "draft": {"optimize.steps": (2500, "ours: half of the standard views")},
        "standard": {"optimize.steps": (5000, "ours: half of TS, zero123, of two views each")},
    },
    scores=LARGE_SCORES,
)
STABLE_ZERO123 = Recipe(
    title="Stable Zero123",
    family=names.ZERO123,
    words=False,
    settings={
        **_TOLD_PICTURE,
        "guidance.t_max": ((0.98, 0.8), _STABLE_ZERO123),
        "guidance.t_min": ((0.7, 0.3), _STABLE_ZERO123),
        "guidance.anneal_until": (0.33, f"{_STABLE_ZERO123}: by step 200 of 600"),
        "camera.elevation_deg": ((-10.0, 80.0), _STABLE_ZERO123),
        "optimize.views": (4, f"{_STABLE_ZERO123}: 12, then 8, then 4"),
        "reference.pose": ("stable-zero123", "TS, stable-zero123-guidance"),
        "reference.colour": (7.0, f"{_STABLE_ZERO123}: 1,000 at the end, beside 0.1 of the score"),
        "reference.mask": (1.0, f"{_STABLE_ZERO123}: 50 beside 0.1 of the score"),
    },
    presets={
        "draft": {"optimize.steps": (550, "ours: half of the standard views")},
        "standard": {"optimize.steps": (1100, f"{_STABLE_ZERO123}: as many views as its 600 steps")},
        "high": {**LARGE_PRESETS["high"], "optimize.steps": (2200, "ours: twice the standard steps")},
    },
    scores=LARGE_SCORES,
)
