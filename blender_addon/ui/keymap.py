"""The add-on's entries in Blender's keymap: none has a key; the preferences list them, so that artists can give one.

Blender keeps an artist's keys in the user's keymap, which outlives a restart. It drops them when an add-on is disabled,
so they are kept here until it is enabled again in the same session, as by an update.
"""

from __future__ import annotations

from typing import Any

import bpy
from bpy.types import Context

_KEYMAP = "3D View"
OPERATORS = (
    "dreamfusion.generate",
    "dreamfusion.texture",
    "dreamfusion.change_part",
    "dreamfusion.queue_text",
    "dreamfusion.randomize_seed",
    "dreamfusion.pause",
    "dreamfusion.resume_job",
    "dreamfusion.cancel",
    "dreamfusion.finish",
    "dreamfusion.insert",
    "dreamfusion.next_seed",
    "dreamfusion.variation",
    "dreamfusion.regenerate",
    "dreamfusion.refine",
    "dreamfusion.quads",
    "dreamfusion.show_material_preview",
)

# What a key is made of. `map_type` comes first, because it resets the others.
_KEY = ("map_type", "type", "value", "any", "shift", "ctrl", "alt", "oskey", "key_modifier", "active")

_entries: list[tuple[Any, Any]] = []  # keymap and entry
_kept: dict[str, dict[str, Any]] = {}  # the artist's keys by operator, while the add-on is disabled


def register() -> None:
    """Add an entry without a key for each operator. A Blender without windows may have no place for them."""
    configuration = bpy.context.window_manager.keyconfigs.addon
    if configuration is None:
        return
    keymap = configuration.keymaps.new(name=_KEYMAP, space_type="VIEW_3D")
    for operator in OPERATORS:
        _entries.append((keymap, keymap.keymap_items.new(operator, type="NONE", value="PRESS")))
    if _kept:
        bpy.context.window_manager.keyconfigs.update()  # the user's keymap gets the entries
        for _, _, entry in shown(bpy.context):
            for name, value in _kept.get(entry.idname, {}).items():
                setattr(entry, name, value)
        _kept.clear()


def unregister() -> None:
    """Remove the entries. The keys that the artist gave are kept."""
    for _, _, entry in shown(bpy.context):
        if entry.type != "NONE":
            _kept[entry.idname] = {name: getattr(entry, name) for name in _KEY}
    while _entries:
        keymap, entry = _entries.pop()
        keymap.keymap_items.remove(entry)


def shown(context: Context) -> list[tuple[Any, Any, Any]]:
    """The entries as the artist's own keymap has them, with their keys: (configuration, keymap, entry)."""
    configuration = context.window_manager.keyconfigs.user
    keymap = configuration.keymaps.get(_KEYMAP) if configuration is not None else None
    entries = keymap.keymap_items if keymap is not None else ()
    found = {entry.idname: entry for entry in entries if entry.idname in OPERATORS}
    return [(configuration, keymap, found[operator]) for operator in OPERATORS if operator in found]
