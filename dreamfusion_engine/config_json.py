"""Settings in and out: the three tested presets, and configurations as nested JSON.

A key that there is not is an error that names the nearest; a value of the wrong kind is refused, never converted by
guess.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

from dreamfusion_engine.config import GenerateConfig, require
from dreamfusion_engine.errors import InputError

_PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "draft": {"optimize": {"steps": 500}, "mesh": {"resolution": 128, "triangles": 10_000, "unwrap_seconds": 20.0}},
    "standard": {},
    "high": {
        "field": {"levels": 12, "log2_table": 17, "finest_resolution": 256},
        "render": {"steps": 96, "occupancy_resolution": 64, "max_samples_per_ray": 192},
        "optimize": {"steps": 2500, "views": 4},
        "mesh": {"resolution": 256, "triangles": 50_000, "texture": 2048, "unwrap_seconds": 120.0},
    },
}
PRESET_NAMES = tuple(_PRESETS)


def preset(name: str, prompt: str, overrides: Mapping[str, Any] | None = None) -> GenerateConfig:
    """The preset's configuration for a prompt; `overrides` is JSON-like, nested by stage, and wins.

    Raises InputError for an unknown preset or key (naming the nearest) and for impossible values.
    """
    if name not in _PRESETS:
        raise InputError(
            "input.preset",
            what=f"There is no preset '{name}'.",
            why=f"The presets are {', '.join(PRESET_NAMES)}.",
            fix=f"Use --preset {nearest(name, PRESET_NAMES) or 'standard'}.",
        )
    values: dict[str, Any] = {"prompt": prompt, "preset": name}
    for source in (_PRESETS[name], overrides or {}):
        for key, value in source.items():
            values[key] = {**values.get(key, {}), **value} if isinstance(value, Mapping) else value
    return from_json(GenerateConfig, values)


def nearest(word: str, known: typing.Iterable[str]) -> str | None:
    """The known word closest in spelling to `word`, or None if none is close."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return found[0] if found else None


def to_json(config: Any) -> dict[str, Any]:
    """A configuration as nested dicts and lists, ready for json.dumps; `from_json` reads it back."""
    return dataclasses.asdict(config)


T = TypeVar("T")


def from_json(kind: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Build the dataclass `kind` from JSON-like values. InputError at an unknown key (naming the nearest) or type."""
    hints = typing.get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    given: dict[str, Any] = {}
    for key, value in values.items():
        if key not in names:
            close = nearest(key, names)
            raise InputError(
                "input.unknown_setting",
                what=f"There is no setting '{where}{key}'.",
                why=f"The settings here are {', '.join(names)}.",
                fix=f"Did you mean '{where}{close}'?" if close else "Remove it, or pick one of those.",
            )
        given[key] = _coerced(value, hints[key], f"{where}{key}")
    return kind(**given)


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
        require(value == value and abs(value) != float("inf"), where, value, "a finite number")
        return float(value)
    elif hint is str:
        require(isinstance(value, str), where, value, "text")
    return value
