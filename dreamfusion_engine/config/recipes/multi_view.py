"""Recipes of large models that judge four views of one object together: MVDream, ImageDream."""

from __future__ import annotations

from dreamfusion_engine.config.recipes import names
from dreamfusion_engine.config.recipes.large import LARGE, LARGE_PRESETS, LARGE_SCORES
from dreamfusion_engine.config.recipes.recipe import Recipe

_UNWANTED = (
    "ugly, blurry, pixelated, unnatural colors, dull, cropped, low quality, duplicate, deformed, bad proportions"
)
MVDREAM = Recipe(
    title="MVDream",
    family="MVDreamPipeline",
    settings={
        **LARGE,
        "negative": (_UNWANTED, "ours, after MVD's longer list"),
        "guidance.scale": (50.0, "MVD"),
        "guidance.rescale": (0.5, "MVD, over the four views of a group"),
        "guidance.weighting": ("reconstruction", "MVD: half the squared distance to the model's picture"),
        "guidance.t_min": ((0.97, 0.02), "MVD: .98 to .02; a range cannot be empty"),
        "guidance.view_prompts": ("off", "MVD: the model is told the cameras"),
        "guidance.perp_neg": ("off", "MVD"),
        "camera.group": (4, "MVD: azimuths a quarter turn apart"),
        "camera.elevation_deg": ((0.0, 30.0), "MVD"),
        "camera.target_jitter": (0.0, "MVD: cameras look at the middle"),
        "optimize.views": (4, "MVD: 8 in the first half of its steps, then 4"),
    },
    presets={
        "draft": {"optimize.steps": (2500, "ours: half of the standard views")},
        "standard": {"optimize.steps": (5000, "ours: half of MVD's")},
        "high": {
            **LARGE_PRESETS["high"],
            "optimize.steps": (10_000, "MVD"),
            "optimize.resolution": ((64, 256), "MVD"),
        },
    },
    scores=LARGE_SCORES,
)
IMAGE_DREAM = Recipe(
    title="ImageDream",
    family=names.IMAGE_DREAM,
    words=False,
    settings={
        **LARGE,
        "negative": (_UNWANTED, "ours, after IMD's longer list"),
        "guidance.scale": (5.0, "IMD; arXiv 2312.02201, section 3.4"),
        "guidance.rescale": (0.2, "IMD, over the four views of a group"),
        "guidance.weighting": ("reconstruction", "IMD: half the squared distance to the model's picture"),
        "guidance.t_min": ((0.97, 0.02), "IMD: .98 to .02; a range cannot be empty"),
        "guidance.anneal_until": (0.64, "IMD: the first 8,000 of 12,500 steps"),
        "guidance.view_prompts": ("off", "IMD: the model is told the cameras"),
        "guidance.perp_neg": ("off", "IMD"),
        "camera.group": (4, "IMD: azimuths a quarter turn apart"),
        "camera.elevation_deg": ((0.0, 5.0), "IMD: as most pictures are taken; arXiv 2312.02201, section 3.4"),
        "camera.fov_deg": ((45.0, 50.0), "IMD"),
        "camera.distance": ((2.4, 2.8), "ours: frames the box with that lens; IMD nearer"),
        "camera.target_jitter": (0.0, "IMD: cameras look at the middle"),
        "field.background": ("white", "ours: that of the picture; IMD draws one for both, arXiv 2312.02201, 3.4"),
        "optimize.views": (4, "IMD: 8 in the first 5,000 of its steps, then 4"),
        "optimize.albedo_until": (0.4, "IMD: the first 5,000 of 12,500 steps without light"),
        "optimize.opacity": (3e-4, "IMD: 1 beside the score, at the mean of its weights"),
        "reference.begin": (0.0, "ours: the model is told the picture from the first step; IMD compares with none"),
    },
    presets={
        "draft": {"optimize.steps": (3000, "ours: half of the standard views")},
        "standard": {"optimize.steps": (6000, "ours: half of IMD's")},
        "high": {
            **LARGE_PRESETS["high"],
            "optimize.steps": (12_500, "IMD"),
            "optimize.resolution": ((64, 256), "IMD: 64, 192, then 256"),
        },
    },
    scores=LARGE_SCORES,
)
