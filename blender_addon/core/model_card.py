"""What the engine's line on a model says of its recipe and its cost. It comes from outside, so it is checked here.

An older engine sends neither. What is unknown or of the wrong kind is treated as missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .engine_preset import PRESETS

_NAMES = 200  # settings of a recipe; the engine has fewer than a hundred
_NAME = 80  # characters of a setting or a choice
_HIGHEST = 1e9  # number of a setting; the add-on's properties take less
_LONGEST = 1e9  # seconds, 30 years
_SLOWEST = 1e4  # times as long a step with another score
_LARGEST = 1 << 26  # MiB, 64 TiB

_VIEWS = 64  # of a step
_METHODS = 16  # of a model besides a field; the engine has one
FIELD = "field"  # the `method` of every model
POSES = ("zero123", "stable-zero123")  # that a model may have been taught; the engine's `reference.pose`

Value = bool | int | float | str | list[int | float]  # of one setting
Card = Mapping[str, Any] | None  # the engine's line on a model, None where it has said none


@dataclass(frozen=True)
class CardEstimate:
    """What the engine expects of a run, on the device that it chooses by itself.

    seconds: float, 0 where it does not know.
    memory_mib: int, MiB, 0 where it does not know.
    pace: float, a step's time over that with the recipe's score.
    """

    seconds: float
    memory_mib: int
    pace: float = 1.0


def card_of(models: Sequence[Mapping[str, Any]] | None, name: str) -> Mapping[str, Any] | None:
    """The line on the model of that name, or None.

    models: the engine's lines, None while they are not known.
    name: str, the model's name.
    """
    return next((card for card in models or () if card.get("name") == name), None)


def has_recipe(card: Card) -> bool:
    """Whether the engine says what it does with this model."""
    return isinstance(_group(_group(card, "recipe"), "settings"), dict)


def is_experimental(card: Card) -> bool:
    """Whether the engine knows no settings with which this model makes objects reliably."""
    recipe = _group(card, "recipe")
    return recipe is not None and recipe.get("experimental") is True


def tells_scores(card: Card) -> bool:
    """Whether the engine says what the model's recipe changes with a score."""
    return _group(_group(card, "recipe"), "scores") is not None


def recipe_settings(card: Card, preset: str, score: str = "") -> dict[str, Value]:
    """What the model's recipe changes in a preset, by dotted name. The caller checks names and ranges.

    card: the engine's line on the model.
    preset: str, 'draft', 'standard' or 'high'.
    score: str, the `guidance.score`; "" for the recipe's own.
    """
    recipe = _group(card, "recipe")
    changes = _group(_group(recipe, "settings"), preset) if preset in PRESETS else None
    return _values(changes) | _values(_group(_group(recipe, "scores"), score))


def views_together(card: Card) -> int:
    """How many views the model judges together: a step has as many, or a multiple. 1 where the engine does not say.

    card: the engine's line on the model.
    """
    views = recipe_settings(card, PRESETS[0]).get("camera.group", 1)
    return views if type(views) is int and 1 <= views <= _VIEWS else 1


def is_told_picture(card: Card) -> bool:
    """Whether the model is told one picture of the object, so that the prompt may be empty.

    card: the engine's line on the model.
    """
    told = (card or {}).get("told")
    if isinstance(told, list):
        return "picture" in told
    # An older engine says it of Zero123 alone, by its recipe.
    return isinstance(recipe_settings(card, PRESETS[0]).get("reference.pose"), str)


def is_told_poses(card: Card) -> bool:
    """Whether the engine says that the model is told how far each view is from its picture, in one of POSES.

    card: the engine's line on the model.
    """
    told = (card or {}).get("told")
    return isinstance(told, list) and "poses" in told


def known_poses(card: Card) -> str:
    """The poses that the model is known to have been taught, of POSES; "" where nobody says.

    card: the engine's line on the model.
    """
    pose = (card or {}).get("pose")
    return pose if isinstance(pose, str) and pose in POSES else ""


def methods(card: Card) -> tuple[str, ...]:
    """What the model can make objects with, by the setting `method`; a field alone where the engine says nothing else.

    card: the engine's line on the model.
    """
    said = _group(card, "methods") or {}
    named = [name for name in list(said)[:_METHODS] if len(name) <= _NAME and _group(said, name) is not None]
    return (FIELD, *(name for name in named if name != FIELD))


def of_method(card: Card, method: str) -> Card:
    """The line with recipe and estimates of a method; as it is for a field, and for a method that it lacks.

    card: the engine's line on the model.
    method: str, the setting `method`.
    """
    said = _group(_group(card, "methods"), method)
    if said is None or method == FIELD:
        return card
    return {**(card or {}), "recipe": said.get("recipe"), "estimates": said.get("estimates")}


def idle(card: Card, method: str) -> frozenset[str]:
    """Stages, and settings by dotted name, that do nothing with a method of the model.

    card: the engine's line on the model.
    method: str, the setting `method`.
    """
    said = (_group(_group(card, "methods"), method) or {}).get("idle") if method != FIELD else None
    names = said[:_NAMES] if isinstance(said, list) else []
    return frozenset(name for name in names if isinstance(name, str) and len(name) <= _NAME)


def takes(card: Card, adapter_type: str) -> bool | None:
    """Whether the model takes a type of adapters; None where the engine does not say.

    card: the engine's line on the model.
    adapter_type: str, "lora" or "embeddings".
    """
    taken = (card or {}).get("adapters")
    return adapter_type in taken if isinstance(taken, list) else None


def estimate(card: Card, preset: str, score: object = "") -> CardEstimate | None:
    """What the engine expects a run to take; None where it does not say.

    card: the engine's line on the model.
    preset: str, 'draft', 'standard' or 'high'.
    score: the `guidance.score`. The preset's own line counts for the recipe's score, and for one without its own line.
    """
    said = _group(_group(card, "estimates"), preset) if preset in PRESETS else None
    if said is None:
        return None
    other = _group(_group(said, "scores"), score) if isinstance(score, str) else None
    found = said if other is None else other
    pace = 1.0 if other is None else _within(other.get("pace"), _SLOWEST)
    seconds, memory = _within(found.get("seconds"), _LONGEST), int(_within(found.get("memory_mib"), _LARGEST))
    return CardEstimate(seconds, memory, pace or 1.0)


def texture_estimate(card: Card, preset: str) -> CardEstimate | None:
    """What the engine expects of a model's stage as the texture model of a run; None where it does not say.

    card: the engine's line on the texture model.
    preset: str, 'draft', 'standard' or 'high'.
    """
    said = _group(_group(_group(card, "estimates"), preset), "texture") if preset in PRESETS else None
    if said is None:
        return None
    return CardEstimate(_within(said.get("seconds"), _LONGEST), int(_within(said.get("memory_mib"), _LARGEST)))


def _group(values: Mapping[str, Any] | None, name: str) -> dict[str, Any] | None:
    found = (values or {}).get(name)
    return found if isinstance(found, dict) else None


def _values(changes: dict[str, Any] | None) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in list((changes or {}).items())[:_NAMES]:
        fitting = _value(value)
        if fitting is not None and isinstance(name, str) and name.count(".") == 1 and len(name) <= _NAME:
            found[name] = fitting
    return found


def _is_number(value: Any) -> bool:
    """Whether it is a number in the range that settings can have."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _HIGHEST


def _within(value: Any, most: float) -> float:
    """The number if it is in [0, `most`], else 0."""
    return float(value) if _is_number(value) and 0.0 <= value <= most else 0.0


def _value(value: Any) -> Value | None:
    if isinstance(value, bool) or (isinstance(value, str) and len(value) <= _NAME) or _is_number(value):
        return value  # type: ignore[no-any-return]
    if isinstance(value, list | tuple) and len(value) == 2 and all(_is_number(item) for item in value):
        return list(value)
    return None
