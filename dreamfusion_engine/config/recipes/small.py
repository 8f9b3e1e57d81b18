"""Recipes of the small models of this project: the starter, and what `training/` makes beside it."""

from __future__ import annotations

from dreamfusion_engine.config.recipes.recipe import Recipe

STARTER = Recipe(title="Starter", family="IFPipeline")
LATENT = Recipe(
    title="Small latent model",
    family="StableDiffusionPipeline",
    settings={"optimize.resolution": ((64, 64), "ours: its autoencoder works on 64 pixels")},
)
MULTI_VIEW = Recipe(
    title="Small multi-view model",
    family="MultiViewPixelPipeline",
    settings={
        "guidance.weighting": ("reconstruction", "MVD: half the squared distance to the model's picture"),
        "camera.group": (4, "MVD: azimuths a quarter turn apart"),
        "optimize.views": (4, "ours: one group"),
    },
    presets={
        "draft": {"optimize.steps": (250, "ours: as many views as the starter's preset")},
        "standard": {"optimize.steps": (600, "ours: as many views as the starter's preset")},
    },
)
