"""The devices of the engine, as a list to choose from."""

from __future__ import annotations

from typing import Any

from bpy.types import Context

from ..translation import translated
from . import engine_report

AUTOMATIC = "auto"
# Blender keeps no copy of the texts of a computed list: without this reference it would show freed memory.
_items: list[tuple[str, str, str, int]] = []


def title(name: str) -> str:
    """A device as artists call it: 'NVIDIA RTX 4090, 24 GiB', 'Processor'."""
    found = next((device for device in engine_report.devices().get("devices", []) if device.get("name") == name), None)
    if found is None or name == "cpu":
        return translated("Processor (CPU)") if name == "cpu" else name
    return f"{found.get('title', name)}, {round(float(found.get('memory_mib', 0)) / 1024)} GiB"


def items(preferences: Any, _context: Context | None) -> list[tuple[str, str, str, int]]:
    """The list: (name, label, description, number). It holds the chosen device even if that is not there now."""
    known = engine_report.devices()
    names = [AUTOMATIC, "cpu"] + [str(device.get("name")) for device in known.get("devices", [])]
    if preferences is not None:
        names.append(preferences.device)
    fresh = []
    for number, name in enumerate(dict.fromkeys(names)):
        label = (
            translated("Automatic ({device})", device=title(engine_report.devices()["default"]))
            if name == AUTOMATIC and engine_report.devices()
            else title(name)
        )
        label = translated("Automatic") if label == AUTOMATIC else label
        fresh.append((name, label, translated("Compute on {device}", device=name), number))
    if fresh != _items:  # an open menu may still point into the old texts
        _items[:] = fresh
    return _items


def chosen(preferences: Any) -> int:
    """The number of the chosen device in the list."""
    return next((item[3] for item in items(preferences, None) if item[0] == preferences.device), 0)


def choose(preferences: Any, number: int) -> None:
    """Choose the device with this number in the list."""
    preferences.device = next((item[0] for item in items(preferences, None) if item[3] == number), AUTOMATIC)
