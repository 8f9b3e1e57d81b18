"""Blender's properties of the engine's settings, made from what the engine declares: range, default, words, slider."""

from __future__ import annotations

from typing import Any

from bpy.props import BoolProperty, EnumProperty, FloatProperty, FloatVectorProperty, IntProperty, IntVectorProperty

from ...core.declared_settings import ENGINE, Declared
from ...core.engine_preset import switch
from ..translation import fixed
from . import range_limits
from .range_limits import Update

_SUBTYPES = {"share": "FACTOR", "texels": "PIXEL"}  # by the first word of the unit
_STEP_UNIT = 0.01  # Blender counts the step of a number with decimals in hundredths


def of_stage(stage: str, **updates: Update) -> dict[str, Any]:
    """The properties of a stage by name, as the annotations of a property group.

    stage: str, such as 'guidance'.
    updates: what is called after a property has changed, by name. Ranges that depend on each other have theirs.
    """
    declared = ENGINE.stages[stage]
    upper = {about.under: key for key, about in declared.items() if about.under}
    found: dict[str, Any] = {}
    for key, about in declared.items():
        update = updates.get(key)
        if about.rising:
            update = range_limits.pair(key)
        elif about.under:
            update = range_limits.below(key, about.under)
        elif key in upper:
            update = range_limits.above(key, upper[key])
        if about.word:
            label, says = about.words[about.word]
            on = about.default == about.word
            found[switch(key, about.word)] = BoolProperty(name=label, description=says, default=on)
        found[key] = one(about, update)
    return found


def one(about: Declared, update: Update | None = None) -> Any:
    """The property of one setting.

    about: Declared.
    update: what is called after it has changed.
    """
    more: dict[str, Any] = {"name": about.label, "description": about.says}
    if update is not None:
        more["update"] = update
    if about.value_type == "bool":
        return BoolProperty(default=about.default, **more)
    if about.value_type == "choice":
        # A menu is saved as the number of its line, so the order of the engine's choices stays.
        items = tuple((word, label, says) for word, (label, says) in about.words.items())
        return EnumProperty(items=items, default=about.default, **more)
    if about.sizes:
        sizes = tuple((str(size), f"{size} px", fixed("{size} pixels", size=size), size) for size in about.sizes)
        return EnumProperty(items=sizes, default=str(about.default), **more)
    return _number(about, more)


def _number(about: Declared, more: dict[str, Any]) -> Any:
    """A number, or several in a row."""
    more["default"] = about.number if about.word and about.default == about.word else about.default
    more["min"], more["max"] = about.range
    more |= {name: end for name, end in zip(("soft_min", "soft_max"), about.usual, strict=False) if end is not None}
    if about.count > 1:
        more["size"] = about.count
    elif about.unit.partition(" ")[0] in _SUBTYPES:
        more["subtype"] = _SUBTYPES[about.unit.partition(" ")[0]]
    if about.value_type == "int":
        return (IntVectorProperty if about.count > 1 else IntProperty)(**more)
    more["precision"] = about.digits
    if about.step is not None:
        more["step"] = about.step / _STEP_UNIT
    return (FloatVectorProperty if about.count > 1 else FloatProperty)(**more)
