"""The settings of a run with a model, and the checks of them that need to know its family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dreamfusion_engine.config.presets import Resolved, dotted, preset, resolve
from dreamfusion_engine.config.recipes import CLIP_MESH_RECIPES, STARTER_RECIPE, recipe_family, recipe_named
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.pipeline_folder import ModelFacts
from dreamfusion_engine.request.told import SOMETHING, given_pose
from dreamfusion_engine.request.useless_settings import refuse_useless, refuse_useless_of_method


def settings_for(
    facts: ModelFacts, preset_name: str, prompt: str, settings: Mapping[str, Any] | None = None
) -> Resolved:
    """The settings of a run with a model: preset, the recipe of its family, then the person's own.

    facts: ModelFacts of the model.
    preset_name: str, such as 'draft'.
    prompt: str.
    settings: nested by stage; None for none.
    Raises InputError for a recipe of another family or method and for settings that the family cannot have.
    """
    own = replace(facts, pose=given_pose(settings) or facts.pose).recipe
    asked = (settings or {}).get("recipe", _with_method(own, facts, settings))
    recipe = recipe_named(str(asked))
    if recipe.family != recipe_family(facts.family):
        raise InputError(
            "input.recipe",
            what=f"The recipe '{asked}' does not fit this model.",
            why=f"It is for {recipe.title}; {model_in_words(facts)}.",
            fix=f"Leave the recipe out, or give {facts.recipe}.",
        )
    made = resolve(preset_name, prompt, settings, str(asked))
    usual = preset(preset_name, prompt or SOMETHING, recipe=str(asked))
    if made.config.method != usual.method:
        raise InputError(
            "input.recipe",
            what=f"The recipe '{asked}' does not fit the method '{made.config.method}'.",
            why=f"It is for the method '{usual.method}'.",
            fix="Leave the recipe out: that of the model and the method is taken.",
        )
    refuse_useless_of_method(dotted(made.config), dotted(usual))
    together = FAMILIES[facts.family].views_together
    if made.config.camera.group != together:
        raise InputError(
            "input.setting",
            what=f"The setting 'camera.group' cannot be {made.config.camera.group} with this model.",
            why=f"{FAMILIES[facts.family].title} judges "
            + (f"{together} views of one object together." if together > 1 else "every view alone."),
            fix=f"Leave camera.group out: the model's recipe has {together}.",
        )
    called = "the starter model" if facts.recipe == STARTER_RECIPE else None
    values = dotted(made.config)
    painted = bool(made.config.texture.model)  # after the same words, by another model that may read them
    later = [name for name in values if painted and name.partition(".")[0] in ("negative", "prompts")]
    refuse_useless(FAMILIES[facts.family], values, dotted(preset(preset_name, prompt or SOMETHING)), called, later)
    return made


def _with_method(recipe: str, facts: ModelFacts, settings: Mapping[str, Any] | None) -> str:
    """The recipe of a model with the method that was asked for. recipe: that of the model."""
    if (settings or {}).get("method") != "clip-mesh":
        return recipe
    if recipe not in CLIP_MESH_RECIPES:
        raise InputError(
            "input.method",
            what="The method 'clip-mesh' needs a CLIP.",
            why=f"It compares pictures with words, and {model_in_words(facts)}, which denoises.",
            fix="Give the folder of a CLIP as the --model, or leave out --method.",
        )
    return CLIP_MESH_RECIPES[recipe]


def model_in_words(facts: ModelFacts) -> str:
    """Return what a model is, as the end of a sentence: 'the model is the starter model', '... is Stable Diffusion 1'.

    facts: ModelFacts of the model.
    """
    family = FAMILIES[facts.family]
    title = f"a {family.title}" if family.compares else family.title
    return f"the model is {'the starter model' if facts.recipe == STARTER_RECIPE else title}"


def seed_of(settings: Mapping[str, Any]) -> int:
    """Return the seed for a folder's name; one that cannot be is refused later, with the other settings.

    settings: nested by stage.
    """
    seed = settings.get("seed", 0)
    return seed if isinstance(seed, int) else 0
