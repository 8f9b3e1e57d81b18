"""What Draft, Standard and High mean, and the scene's settings as the engine's JSON. No bpy.

These are the plain presets, as the engine declares them; a model's recipe lies over them (`model_recipe`). The engine
also changes settings that the sidebar does not show. The add-on sends only what the artist changed, so it keeps those.
"""

from __future__ import annotations

from typing import Any

from .declared_settings import ENGINE

SETTINGS = {stage: settings for stage, settings in ENGINE.stages.items() if stage}  # those of stages
STAGES = tuple(SETTINGS)
PRESETS = tuple(ENGINE.presets)
ALL = tuple((stage, key) for stage, settings in SETTINGS.items() for key in settings)
# Settings that some preset changes.
OF_PRESETS = tuple(sorted({(s, k) for changes in ENGINE.presets.values() for s, keys in changes.items() for k in keys}))


def preset_value(preset: str, stage: str, key: str) -> Any:
    """The value of one setting in a preset.

    preset: str, 'draft', 'standard' or 'high'.
    stage, key: str, such as 'optimize' and 'steps'.
    Raises KeyError for a name that does not exist.
    """
    return ENGINE.presets[preset].get(stage, {}).get(key, SETTINGS[stage][key].default)


def read(settings: Any) -> dict[str, dict[str, Any]]:
    """Every setting of the groups as plain values, nested by stage.

    settings: `scene.dreamfusion`.
    """
    return {stage: {key: read_one(settings, stage, key) for key in SETTINGS[stage]} for stage in STAGES}


def switch(key: str, word: str) -> str:
    """The property that is on where a number is a word: 'iso_auto'.

    key: str, the setting without its stage.
    word: str, what the number may be.
    """
    return f"{key}_{word}"


def read_one(settings: Any, stage: str, key: str) -> Any:
    """One setting of the groups as a plain value.

    settings: `scene.dreamfusion`.
    stage, key: str, such as 'optimize' and 'steps'.
    Raises KeyError for a setting that does not exist.
    """
    group, about = getattr(settings, stage), SETTINGS[stage][key]
    if about.word and getattr(group, switch(key, about.word)):
        return about.word
    value = getattr(group, key)
    if about.sizes:
        return int(value)
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return _rounded(value)
    return [_rounded(item) if isinstance(item, float) else int(item) for item in value]


def write_one(settings: Any, stage: str, key: str, value: Any) -> None:
    """Set one property from the engine's value.

    settings: `scene.dreamfusion`.
    stage, key: str, such as 'optimize' and 'steps'.
    value: as the engine has it.
    Raises KeyError for a setting that does not exist, and TypeError for a value of the wrong kind.
    """
    group, about = getattr(settings, stage), SETTINGS[stage][key]
    if about.word:
        setattr(group, switch(key, about.word), value == about.word)
    if not about.word or value != about.word:
        setattr(group, key, str(value) if about.sizes else value)


def same(one: Any, other: Any) -> bool:
    """Whether two settings are equal, apart from the rounding of Blender's 32-bit floats."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) or isinstance(other, float):
        if isinstance(one, str) or isinstance(other, str):
            return False
        return abs(one - other) <= 1e-6 * max(1e-3, abs(one), abs(other))
    return bool(one == other)


def _rounded(value: float) -> float:
    """A 32-bit float as the short decimal that the artist typed: 0.015, not 0.01499999966472387."""
    return float(f"{value:.6g}")
