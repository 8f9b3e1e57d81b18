"""Read and write settings: presets with the recipes of models over them, and configurations as nested JSON.

An unknown key is an error that names the nearest known one. A value of the wrong kind is refused, never converted by a
guess.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

from dreamfusion_engine.config.recipes import STARTER_RECIPE, recipe_named
from dreamfusion_engine.config.setting import hints, require
from dreamfusion_engine.config.stages import GenerateConfig, GuidanceConfig
from dreamfusion_engine.errors import InputError

_PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "draft": {
        "optimize": {"steps": 500},
        "mesh": {"resolution": 128, "triangles": 10_000, "unwrap_seconds": 20.0},
    },
    "standard": {},
    "high": {
        "field": {"levels": 12, "log2_table": 17, "finest_resolution": 256},
        "render": {"steps": 96, "occupancy_resolution": 64, "max_samples_per_ray": 192},
        "optimize": {"steps": 2500, "views": 4},
        "mesh": {"resolution": 256, "triangles": 50_000, "texture": 2048, "unwrap_seconds": 120.0},
        "refine": {"steps": 60},  # as in the drafts that were looked at (docs/experiments.md)
    },
}
PRESET_NAMES = tuple(_PRESETS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolved:
    """A run's settings and the origin of each.

    config: GenerateConfig.
    origins: dotted name to "yours", "preset", "recipe: SOURCE", or "model" (the recipe itself).
    """

    config: GenerateConfig
    origins: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return each setting's value and origin by dotted name, ready for json.dumps."""
        return {name: {"value": value, "from": self.origins[name]} for name, value in dotted(self.config).items()}


def preset(
    name: str, prompt: str, overrides: Mapping[str, Any] | None = None, recipe: str = STARTER_RECIPE
) -> GenerateConfig:
    """Return the configuration of a preset with a model's recipe over it, for a prompt.

    name: str, the preset.
    prompt: str, the artist's words.
    overrides: JSON-like, nested by stage; wins over both.
    recipe: str, a name of `recipes.RECIPES`.
    Raises InputError for an unknown preset, recipe or key (naming the nearest) and for impossible values.
    """
    return resolve(name, prompt, overrides, recipe).config


def resolve(
    name: str, prompt: str, overrides: Mapping[str, Any] | None = None, recipe: str = STARTER_RECIPE
) -> Resolved:
    """Return what `preset` returns, with the origin of each setting.

    name, prompt, overrides, recipe: as for `preset`.
    Raises InputError as `preset` does.
    """
    if name not in _PRESETS:
        raise InputError(
            "input.preset",
            what=f"There is no preset '{name}'.",
            why=f"The presets are {', '.join(PRESET_NAMES)}.",
            fix=f"Use --preset {nearest(name, PRESET_NAMES) or 'standard'}.",
        )
    yours = dict(overrides or {})
    for said, option in (("prompt", "as the PROMPT"), ("preset", "as --preset")):
        if said in yours:
            raise InputError(
                "input.setting",
                what=f"'{said}' is no setting.",
                why=f"The settings go over a preset and a prompt, so they cannot change the {said}.",
                fix=f"Give it {option}.",
            )
    guidance = yours.get("guidance", {})
    score = guidance.get("score") if isinstance(guidance, Mapping) else None
    of_recipe = recipe_named(recipe).values(name, score if isinstance(score, str) else GuidanceConfig().score)
    if "negative" in of_recipe and yours.get("negative") == "":
        del yours["negative"]  # nothing was written; the recipe's words hold
    values: dict[str, Any] = {"prompt": prompt, "preset": name, "recipe": recipe}
    origins: dict[str, str] = {"recipe": "model"}
    layers = (
        (_PRESETS[name], lambda key: "preset"),
        (nested({key: value for key, (value, _) in of_recipe.items()}), lambda key: f"recipe: {of_recipe[key][1]}"),
        (yours, lambda key: "yours"),
    )
    for layer, origin in layers:
        for key, value in layer.items():
            values[key] = {**values.get(key, {}), **value} if isinstance(value, Mapping) else value
            keys = [f"{key}.{inner}" for inner in value] if isinstance(value, Mapping) else [key]
            origins |= {each: origin(each) for each in keys}
    config = from_json(GenerateConfig, values)
    return Resolved(config=config, origins={key: origins.get(key, "preset") for key in dotted(config)})


def origins_of(config: GenerateConfig) -> dict[str, str]:
    """Return the origin of each setting of a finished configuration, told by its preset and recipe.

    A setting that differs from both is "yours", whoever changed it.
    """
    made = resolve(config.preset, config.prompt, {"guidance": {"score": config.guidance.score}}, config.recipe)
    base = dotted(made.config)
    origins = dict(made.origins) | {"guidance.score": "preset"}
    base["guidance.score"] = GuidanceConfig().score
    if config.texture.model:  # its recipe follows from it, as the model's own does
        origins["texture.recipe"], base["texture.recipe"] = "model", config.texture.recipe
    return {key: origins[key] if value == base[key] else "yours" for key, value in dotted(config).items()}


def recipe_differences(recipe: str) -> dict[str, dict[str, Any]]:
    """Return what a recipe changes of each preset: preset to dotted name to value, ready for json.dumps."""
    changes = {}
    for name in PRESET_NAMES:
        plain, made = dotted(preset(name, "a")), dotted(preset(name, "a", recipe=recipe))
        changes[name] = {key: value for key, value in made.items() if value != plain[key] and key != "recipe"}
    return changes


def recipe_scores(recipe: str) -> dict[str, dict[str, Any]]:
    """Return what a recipe changes with a score, over each preset: score to dotted name to value, JSON-like."""
    scores = recipe_named(recipe).scores
    return {score: {key: value for key, (value, _) in settings.items()} for score, settings in scores.items()}


def dotted(config: GenerateConfig) -> dict[str, Any]:
    """Return every setting by its dotted name, ready for json.dumps: 'guidance.scale' to 7.0."""
    flat: dict[str, Any] = {}
    for key, value in to_json(config).items():
        inner = {f"{key}.{name}": each for name, each in value.items()} if isinstance(value, dict) else {key: value}
        flat |= {name: list(each) if isinstance(each, tuple) else each for name, each in inner.items()}
    return flat


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by dotted name as settings nested by stage."""
    settings: dict[str, Any] = {}
    for name, value in flat.items():
        stage, dot, key = name.partition(".")
        if dot:
            settings.setdefault(stage, {})[key] = value
        else:
            settings[name] = value
    return settings


def nearest(word: str, known: typing.Iterable[str]) -> str | None:
    """Return the known word closest in spelling to `word`, or None if none is close.

    word: str.
    known: the words to compare with.
    """
    found = difflib.get_close_matches(word, list(known), n=1)
    return found[0] if found else None


def to_json(config: Any) -> dict[str, Any]:
    """Return a configuration as nested dicts and lists, ready for json.dumps; `from_json` reads it back."""
    return dataclasses.asdict(config)


T = TypeVar("T")


def from_json(stage_class: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Build a dataclass from JSON-like values.

    stage_class: a dataclass of `stages`.
    values: JSON-like, nested.
    where: str, dotted name of the values, for errors.
    Raises InputError at an unknown key (naming the nearest) or a wrong type.
    """
    types_of = hints(stage_class)
    names = [f.name for f in dataclasses.fields(stage_class)]  # type: ignore[arg-type]
    given: dict[str, Any] = {}
    for key, value in values.items():
        if key not in names:
            close = nearest(str(key), names)  # from Python a key may be anything
            raise InputError(
                "input.unknown_setting",
                what=f"There is no setting '{where}{key}'.",
                why=f"The settings here are {', '.join(names)}.",
                fix=f"Did you mean '{where}{close}'?" if close else "Remove it, or pick one of those.",
            )
        given[key] = _coerced(value, types_of[key], f"{where}{key}")
    return stage_class(**given)


def _coerced(value: Any, hint: Any, where: str) -> Any:
    """`value` as the annotated type: lists become tuples, dicts dataclasses, ints floats; anything else is refused."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        require(isinstance(value, Mapping), where, value, "a group of settings")
        return from_json(hint, value, f"{where}.")
    origin = get_origin(hint)
    if origin is tuple:
        inner = get_args(hint)
        if inner[1:] == (Ellipsis,):
            require(isinstance(value, list | tuple), where, value, "a list")
            return tuple(_coerced(v, inner[0], where) for v in value)
        require(isinstance(value, list | tuple) and len(value) == len(inner), where, value, f"{len(inner)} values")
        return tuple(_coerced(v, t, where) for v, t in zip(value, inner, strict=True))
    if origin is Literal:
        require(value in get_args(hint), where, value, f"one of {', '.join(map(repr, get_args(hint)))}")
        return value
    if origin in (typing.Union, types.UnionType):
        if isinstance(value, str):
            texts = [t for arm in get_args(hint) if get_origin(arm) is Literal for t in get_args(arm)]
            require(value in texts or str in get_args(hint), where, value, f"a number or one of {texts}")
            return value
        hint = float
    if hint is bool:
        require(isinstance(value, bool), where, value, "true or false")
    elif hint is int:
        require(isinstance(value, int) and not isinstance(value, bool), where, value, "a whole number")
    elif hint is float:
        require(isinstance(value, int | float) and not isinstance(value, bool), where, value, "a number")
        try:
            number = float(value)
        except OverflowError:  # a whole number above 1e308
            number = math.inf
        require(math.isfinite(number), where, value, "a finite number")
        return number
    elif hint is str:
        require(isinstance(value, str), where, value, "text")
    return value
