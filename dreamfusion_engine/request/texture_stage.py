"""The second stage of a request, in which another model paints the texture: what must fit before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.recipes import CLIP_MESH_RECIPES, recipe_family, recipe_named
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.config.texture_stage import texture_config
from dreamfusion_engine.errors import EngineError, InputError
from dreamfusion_engine.judge.folder import judge_folder
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.pipeline_folder import ModelFacts, model_facts
from dreamfusion_engine.models.prompt_check import check_length, check_prompts
from dreamfusion_engine.request.settings import model_in_words
from dreamfusion_engine.request.told import is_blank
from dreamfusion_engine.wire.bounded_json import UnsafeJson, read_json_file

# What errors about a model say of the option that named it, and what they say of the texture model.
_WORDS = (
    ("leave --model out for the built-in model", "leave --texture-model out: then the first model's texture stays"),
    ("leave --model out for the built-in one", "leave --texture-model out: then the first model's texture stays"),
    (" --model", " --texture-model"),
    ("--base", "--texture-base"),
)
_CONFIG_LIMIT = 1 << 24  # bytes of a checkpoint's index


def with_texture_stage(
    config: GenerateConfig,
    settings: Mapping[str, Any] | None,
    begun: Path | None = None,
    *,
    check_words: bool = True,
) -> GenerateConfig:
    """Return the settings of a run with the recipe of its texture model; as they are where it has none.

    config: GenerateConfig of a run that makes an object.
    settings: nested by stage, as the artist gave them.
    begun: Path of the run's folder, where it resumes.
    check_words: bool, whether the prompt is the artist's; False: it stands for any.
    Raises InputError or SetupError for a texture model that is not there, or cannot paint after this prompt, for
        settings of a stage that there is not, and for another texture model than the run was begun with.
    """
    if begun is not None:
        _check_begun_with(config, begun)
    asked = config.texture
    if not asked.model:
        given = (settings or {}).get("texture")
        if isinstance(given, Mapping) and any(value for value in given.values()):
            raise InputError(
                "input.setting",
                what="The settings of the stage 'texture' do nothing in this run.",
                why="They say how another model paints the finished shape, and no texture model is named.",
                fix='Name one: --texture-model NAME. Or leave out "texture".',
            )
        return config
    try:
        facts = model_facts(asked.model, asked.base)
    except EngineError as error:
        raise _of_texture_model(error) from error
    check_can_paint(config.prompt, facts)
    recipe = asked.recipe or facts.recipe
    known = recipe_named(recipe)
    why = f"It is for {known.title}; {model_in_words(facts)}." if known.family != recipe_family(facts.family) else ""
    if recipe in CLIP_MESH_RECIPES.values():
        why = f"{known.title} bends a sphere to a new object; it paints no shape that is there."
    if why:
        raise InputError(
            "input.recipe",
            what=f"The recipe '{recipe}' does not fit the texture model.",
            why=why,
            fix=f"Leave texture.recipe out, or give {facts.recipe}.",
        )
    whole = replace(config, texture=replace(asked, recipe=recipe))
    if check_words:
        check_stage_prompt(whole, facts)
    family = FAMILIES[facts.family]
    if family.compares and asked.scale:
        raise InputError(
            "input.setting",
            what="The setting 'texture.scale' does nothing with this texture model.",
            why=f"A {family.title} compares pictures with words: no guidance pulls harder or weaker.",
            fix="Leave texture.scale out.",
        )
    judge_folder(config.judge, asked.model)
    return whole


def check_stage_prompt(config: GenerateConfig, facts: ModelFacts) -> None:
    """Raise InputError for a prompt that the texture model cannot have; it takes a millisecond.

    config: GenerateConfig of the run, with `texture.recipe`.
    facts: ModelFacts of the texture model.
    """
    second = texture_config(config)
    try:
        check_length(second, FAMILIES[facts.family])
        check_prompts(second, facts.card)
    except EngineError as error:
        raise _of_texture_model(error) from error


def check_can_paint(prompt: str, facts: ModelFacts) -> None:
    """Raise InputError for a model that cannot paint a shape after this prompt.

    prompt: str, the artist's words; may be empty where the first model is told a picture.
    facts: ModelFacts of the texture model.
    """
    family = FAMILIES[facts.family]
    if family.picture_parts:
        raise InputError(
            "input.texture_model",
            what="This model cannot paint a texture.",
            why=f"{family.title} is told one picture of the object, and the texture stage is told the prompt alone.",
            fix="Give a --texture-model that needs no picture, such as Stable Diffusion. "
            f"{family.title} can be the --model, which makes the shape.",
        )
    if is_blank(prompt):
        raise InputError(
            "input.prompt_missing",
            what="The texture model needs a prompt.",
            why=f"{family.title} is told in words what the object is; the pictures lead the shape alone.",
            fix='Say what they show: generate "a red car" --image car.png@front. Or leave out --texture-model.',
        )


def _check_begun_with(config: GenerateConfig, folder: Path) -> None:
    """Refuse another texture model than the run was begun with. One that had none may be painted after all."""
    try:
        index = read_json_file(folder / "checkpoint" / "checkpoint.json", limit=_CONFIG_LIMIT)
        then = index["config"]["texture"]["model"]
    except (OSError, UnsafeJson, KeyError, TypeError):  # there is none, or it is an earlier version's or damaged
        return
    if not isinstance(then, str) or not then or then == config.texture.model:
        return
    now = f"now {config.texture.model!r} is" if config.texture.model else "now none is"
    raise InputError(
        "checkpoint.other_run",
        what="The run was begun with another texture model.",
        why=f"It was begun with {then[:200]!r}, and {now} named.",
        fix=f"Resume with --texture-model {then[:200]}, or leave out --resume to start anew. A finished object gets "
        "another texture by the command texture.",
    )


def _of_texture_model(error: EngineError) -> EngineError:
    """The error about a model, said of the one that paints."""
    fix = error.fix
    for said, instead in _WORDS:
        fix = fix.replace(said, instead)
    return type(error)(error.code, what=error.what, why=f"It is named as the texture model. {error.why}", fix=fix)
