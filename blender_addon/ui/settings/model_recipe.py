"""What the chosen model's recipe says of every setting in the chosen preset; the plain preset where it says nothing.

The engine applies the recipe itself; here it is only shown. It comes from outside, so values that a property cannot
hold are left out.
"""

from __future__ import annotations

from typing import Any

from ...core import engine_preset, model_card
from . import models

SCORE = ("guidance", "score")
# Lower and upper ends of ranges, which must be in order: those of the noise.
ENDS = tuple(
    ((stage, key), (stage, about.under))
    for stage, settings in engine_preset.SETTINGS.items()
    for key, about in settings.items()
    if about.under
)
_ROUNDING = 1e-6  # of Blender's 32-bit floats

Setting = tuple[str, str]  # stage and key


def base(settings: Any, score: str = "") -> dict[Setting, Any]:
    """Every setting's value where the artist changes nothing.

    settings: `scene.dreamfusion`.
    score: str, the artist's score, on which the recipe's other values may depend; "" for the recipe's own.
    """
    found = {setting: engine_preset.preset_value(settings.preset, *setting) for setting in engine_preset.ALL}
    card = model_card.of_method(models.card(settings.model), models.method(settings))
    for name, value in model_card.recipe_settings(card, settings.preset, score).items():
        setting = named(name)
        if setting is not None and (checked := fitting(settings, setting, value)) is not None:
            found[setting] = checked
    for ends in ENDS:
        if any(low >= high for low, high in zip(*(found[end] for end in ends), strict=True)):
            found |= {end: engine_preset.preset_value(settings.preset, *end) for end in ends}
    return found


def named(name: str) -> Setting | None:
    """Stage and key of a dotted name; None for a setting that the sidebar does not have."""
    stage, _, key = name.partition(".")
    return (stage, key) if key in engine_preset.SETTINGS.get(stage, {}) else None


def fitting(settings: Any, setting: Setting, value: Any) -> Any:
    """The value as the setting's property takes it; None if it is of another kind or out of range.

    settings: `scene.dreamfusion`.
    setting: stage and key.
    value: as the engine has it.
    """
    stage, key = setting
    declared = engine_preset.SETTINGS[stage][key]
    if declared.word and value == declared.word:
        return value
    about = getattr(settings, stage).bl_rna.properties[key]
    if about.type == "ENUM":
        wanted = str(value) if declared.sizes and type(value) is int else value
        return value if isinstance(wanted, str) and wanted in about.enum_items else None
    if about.type == "BOOLEAN":
        return value if isinstance(value, bool) else None
    if not about.is_array:
        return _number(about, value)
    if not isinstance(value, list | tuple) or len(value) != about.array_length:
        return None
    numbers = [number for item in value if (number := _number(about, item)) is not None]
    if len(numbers) < len(value) or (declared.rising and numbers[0] > numbers[1]):
        return None
    return numbers


def _number(about: Any, value: Any) -> float | int | None:
    """The number as the property `about` takes it."""
    if isinstance(value, bool) or not isinstance(value, int if about.type == "INT" else int | float):
        return None
    low, high = about.hard_min, about.hard_max
    if not low - _ROUNDING * abs(low) <= value <= high + _ROUNDING * abs(high):
        return None
    return value if about.type == "INT" else float(value)
