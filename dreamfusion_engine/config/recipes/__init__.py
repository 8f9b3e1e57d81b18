"""Recipes: the settings that each family of teachers needs to make objects, in a file for each sort of teacher.

`table` has them all, and says which one a model has.
A recipe lies between the preset and the person's own settings. The presets are tuned to the built-in starter model,
which has the empty recipe. The small models that `training/latent` and `training/multiview` make of the same corpus
have nearly that.
Every other value here has its source:
SDF stable-dreamfusion (its option -O), TS threestudio (dreamfusion-sd and -if), MVD MVDream-threestudio, IMD ImageDream
(imagedream-sd21-shading), a paper by its arXiv number, or "ours". No published weights were at hand: values that are
ours and not measured say so.
A preset is a row of the table, not a scale: `standard` is the public recipe in half of its steps, with two views each.
"""

from __future__ import annotations

from dreamfusion_engine.config.recipes.names import (
    CLIP_MESH_RECIPE,
    CLIP_RECIPE,
    IMAGE_DREAM,
    LATENT_RECIPE,
    MULTI_VIEW_RECIPE,
    SMALL_CLIP_RECIPE,
    STABLE_ZERO123_RECIPE,
    STARTER_RECIPE,
    ZERO123,
)
from dreamfusion_engine.config.recipes.recipe import Settings
from dreamfusion_engine.config.recipes.table import (
    CLIP_MESH_RECIPES,
    RECIPES,
    compares,
    needs_words,
    recipe_family,
    recipe_for,
    recipe_named,
)

__all__ = [
    "CLIP_MESH_RECIPE",
    "CLIP_MESH_RECIPES",
    "CLIP_RECIPE",
    "IMAGE_DREAM",
    "LATENT_RECIPE",
    "MULTI_VIEW_RECIPE",
    "RECIPES",
    "SMALL_CLIP_RECIPE",
    "STABLE_ZERO123_RECIPE",
    "STARTER_RECIPE",
    "Settings",
    "ZERO123",
    "compares",
    "needs_words",
    "recipe_family",
    "recipe_for",
    "recipe_named",
]
