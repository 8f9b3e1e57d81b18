"""The table of all recipes, and which one a model has."""

from __future__ import annotations

from dreamfusion_engine.config.recipes import clip, multi_view, names, small, text_to_image, zero123
from dreamfusion_engine.config.recipes.recipe import Recipe
from dreamfusion_engine.errors import InputError

RECIPES: dict[str, Recipe] = {
    names.STARTER_RECIPE: small.STARTER,
    names.LATENT_RECIPE: small.LATENT,
    "StableDiffusionPipeline": text_to_image.STABLE_DIFFUSION,
    "IFPipeline": text_to_image.DEEPFLOYD_IF,
    "MVDreamPipeline": multi_view.MVDREAM,
    names.IMAGE_DREAM: multi_view.IMAGE_DREAM,
    names.ZERO123: zero123.ZERO123,
    names.STABLE_ZERO123_RECIPE: zero123.STABLE_ZERO123,
    names.MULTI_VIEW_RECIPE: small.MULTI_VIEW,
    "StableDiffusionXLPipeline": text_to_image.STABLE_DIFFUSION_XL,
    "StableDiffusion3Pipeline": text_to_image.STABLE_DIFFUSION_3,
    "FluxPipeline": text_to_image.FLUX,
    "PixArtSigmaPipeline": text_to_image.PIXART_SIGMA,
    names.CLIP_RECIPE: clip.CLIP,
    names.SMALL_CLIP_RECIPE: clip.SMALL_CLIP,
    names.CLIP_MESH_RECIPE: clip.CLIP_MESH,
    names.SMALL_CLIP_MESH_RECIPE: clip.SMALL_CLIP_MESH,
}
# Recipe of a model -> that of the same model with the method 'clip-mesh'. Other models have none.
CLIP_MESH_RECIPES = {
    names.CLIP_RECIPE: names.CLIP_MESH_RECIPE,
    names.SMALL_CLIP_RECIPE: names.SMALL_CLIP_MESH_RECIPE,
}
# Families whose folders alone differ from those of another, whose recipes they have.
_LIKE = {"Zero123Pipeline": names.ZERO123}
# Family -> the recipe of a small model of this project in its layout.
_SMALL = {RECIPES[name].family: name for name in (names.STARTER_RECIPE, names.LATENT_RECIPE, names.SMALL_CLIP_RECIPE)}


def recipe_named(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises InputError input.recipe for an unknown name.
    """
    if name in RECIPES:
        return RECIPES[name]
    raise InputError(
        "input.recipe",
        what=f"There is no recipe '{name[:80]}'.",
        why=f"The recipes are {', '.join(RECIPES)}.",
        fix="Leave the recipe out: the model's own is taken.",
    )


def needs_words(recipe: str) -> bool:
    """Return whether models of a recipe need a prompt; of an unknown recipe too.

    recipe: str, its name.
    """
    return recipe not in RECIPES or RECIPES[recipe].words


def compares(recipe: str) -> bool:
    """Return whether models of a recipe compare pictures with words and denoise nothing; False for an unknown one.

    recipe: str, its name.
    """
    return recipe in RECIPES and RECIPES[recipe].family == RECIPES[names.CLIP_RECIPE].family


def recipe_family(family: str) -> str:
    """Return the family whose recipes a model of a family has: itself, or one from which only its folders differ."""
    return _LIKE.get(family, family)


def recipe_for(family: str, *, closed_vocabulary: bool, pose: str | None = None) -> str:
    """Return the name of the recipe for a model of a family.

    family: str, its pipeline class.
    closed_vocabulary: bool, as its card says. Such a model is a small one of this project, in the layout of DeepFloyd
        IF, of Stable Diffusion or of CLIP, and is not of their families.
    pose: str, the poses that it was taught, of `reference.pose`; None: it is told none, or nobody knows.
    """
    family = recipe_family(family)
    if family == names.ZERO123 and pose == names.STABLE_ZERO123_RECIPE:
        return names.STABLE_ZERO123_RECIPE
    return _SMALL.get(family, family) if closed_vocabulary else family
