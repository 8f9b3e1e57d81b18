"""Whether a model is told what it needs: words, or one picture and what its poses mean. Nothing is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dreamfusion_engine.config.recipes import recipe_named
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.config.stages.reference import KNOWN_POSES, KnownPose
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.visible_text import visible
from dreamfusion_engine.models.family import FAMILIES, Family
from dreamfusion_engine.models.pipeline_folder import ModelFacts
from dreamfusion_engine.models.told_picture import picture_needed

SOMETHING = "a"  # in place of a prompt that is not there, where other settings are looked at
WORDS_FOR_TASKS = {"texture": "texture run", "refine": "refinement", "contest": "contest of seeds"}


def is_blank(prompt: str) -> bool:
    """Return whether a prompt says nothing."""
    return not visible(prompt).strip()


def check_words(prompt: str, family: Family, pictures: int) -> None:
    """Raise InputError input.prompt_missing where pictures come without a prompt for a model that reads words.

    prompt: str, the artist's words.
    family: Family of the model.
    pictures: int, how many pictures the run has.
    """
    if pictures and family.needs_words and is_blank(prompt):
        raise InputError(
            "input.prompt_missing",
            what="The pictures come without a prompt, and the model needs one.",
            why="It makes up the sides that no picture shows, and it is told in words what the object is.",
            fix='Say what the pictures show: generate "a red car" --image car.png@front. Or give a model that is told '
            "a picture, such as ImageDream or Zero123.",
        )


def check_picture(family: Family, pictures: int, task: str) -> None:
    """Raise InputError where a model that is told one picture gets none, or several.

    family: Family of the model.
    pictures: int, how many pictures the run has.
    task: str, of `request.stages.UNUSED`.
    """
    if not family.told_picture:
        return
    if not pictures:
        raise picture_needed(family, WORDS_FOR_TASKS.get(task, ""))
    if pictures > 1:
        raise InputError(
            "input.picture",
            what="This model takes one picture.",
            why=f"{pictures} were given; {family.title} is told one.",
            fix="Keep the picture that shows the object best. Or give a model that needs words alone, such as Stable "
            "Diffusion, beside which several can lead.",
        )


def check_pose(facts: ModelFacts, config: GenerateConfig, settings: Mapping[str, Any] | None) -> None:
    """Raise InputError input.pose where nobody says which poses a model was taught, or where the wrong ones are named.

    facts: ModelFacts of the model.
    config: GenerateConfig with its recipe.
    settings: nested by stage, as the artist gave them.
    """
    if not FAMILIES[facts.family].told_poses:
        return
    pose = config.reference.pose
    if facts.pose is None and not (given_pose(settings) or "recipe" in (settings or {})):
        raise InputError(
            "input.pose",
            what="It is not known which poses this model was taught.",
            why="The folders of Zero123 and of Stable Zero123 look alike, and the catalogue does not know this one. "
            "With the wrong poses every view would be wrong.",
            fix="Say which it is: --set reference.pose=zero123 for Zero123 and Zero123-XL, "
            "--set reference.pose=stable-zero123 for Stable Zero123.",
        )
    if pose == "auto" or (facts.pose is not None and facts.pose != pose):
        known = facts.pose or recipe_named(config.recipe).settings["reference.pose"][0]
        raise InputError(
            "input.pose",
            what=f"The setting 'reference.pose' cannot be {pose!r} with this model.",
            why=f"The model was taught the poses of {known!r}; with others every view would be wrong.",
            fix="Leave reference.pose and recipe out.",
        )


def given_pose(settings: Mapping[str, Any] | None) -> KnownPose | None:
    """Return the poses that a person names; None for none, or 'auto'.

    settings: nested by stage.
    """
    group = (settings or {}).get("reference")
    pose = group.get("pose") if isinstance(group, Mapping) else None
    return next((known for known in KNOWN_POSES if known == pose), None)
