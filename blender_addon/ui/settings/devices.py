"""The devices of the engine, as lists to choose from: one for the model, one for the object that it teaches."""

from __future__ import annotations

from typing import Any

from bpy.types import Context

from ..translation import translated
from . import engine_report

AUTOMATIC = "auto"
# Blender keeps no copy of the texts of a computed list: without these references it would show freed memory.
_items: list[tuple[str, str, str, int]] = []
_field_items: list[tuple[str, str, str, int]] = []


def title(name: str) -> str:
    """A device as artists call it: 'NVIDIA RTX 4090, 24 GiB', 'Processor'."""
    found = _reported(name)
    if not found or name == "cpu":
        return translated("Processor (CPU)") if name == "cpu" else name
    return f"{found.get('title', name)}, {round(float(found.get('memory_mib', 0)) / 1024)} GiB"


def asked(preferences: Any) -> str:
    """The engine's setting `device` for what is chosen; 'auto' where nothing is."""
    device, field = preferences.device or AUTOMATIC, preferences.field_device or AUTOMATIC
    if field in (AUTOMATIC, device):
        return device
    return f"field={field}" if device == AUTOMATIC else f"teacher={device},field={field}"


def explanation() -> str:
    """Why Automatic is what it is, in the engine's words; '' while the engine has never spoken."""
    report = engine_report.devices()
    if not report.get("why"):
        return ""
    places = [str(report.get("default")), str(report.get("default_field") or report.get("default"))]
    model, field = (title(name) for name in places)
    if model == field:
        return translated("Automatic is {device}: {why}", device=model, why=report["why"])
    return translated(
        "Automatic is {device}, for the object {field}: {why}", device=model, field=field, why=report["why"]
    )


def items(preferences: Any, _context: Context | None) -> list[tuple[str, str, str, int]]:
    """The list for the model: (name, label, description, number). It holds the chosen one even if it is not there."""
    every = [str(device.get("name")) for device in engine_report.devices().get("devices", [])]
    chosen_now = [] if preferences is None else [preferences.device]
    return _kept(_items, [AUTOMATIC, "cpu", *every, *chosen_now], "default", for_object=False)


def field_items(preferences: Any, _context: Context | None) -> list[tuple[str, str, str, int]]:
    """The list for the object, likewise: only devices that can render it."""
    able = [
        str(device.get("name"))
        for device in engine_report.devices().get("devices", [])
        if device.get("field", True)  # an engine of before has both on one device
    ]
    chosen_now = [] if preferences is None else [preferences.field_device]
    return _kept(_field_items, [AUTOMATIC, "cpu", *able, *chosen_now], "default_field", for_object=True)


def chosen(preferences: Any) -> int:
    """The number of the chosen device in the model's list."""
    return _number(items(preferences, None), preferences.device)


def choose(preferences: Any, number: int) -> None:
    """Choose the device with this number in the model's list."""
    preferences.device = _name(items(preferences, None), number)


def field_chosen(preferences: Any) -> int:
    """The number of the chosen device in the object's list."""
    return _number(field_items(preferences, None), preferences.field_device)


def field_choose(preferences: Any, number: int) -> None:
    """Choose the device with this number in the object's list."""
    preferences.field_device = _name(field_items(preferences, None), number)


def _reported(name: str) -> dict[str, Any]:
    listed = engine_report.devices().get("devices", [])
    return next((device for device in listed if device.get("name") == name), {})


def _kept(
    kept: list[tuple[str, str, str, int]], names: list[str], default: str, *, for_object: bool
) -> list[tuple[str, str, str, int]]:
    known = engine_report.devices()
    fresh = []
    for number, name in enumerate(dict.fromkeys(names)):
        label = title(name)
        about = translated("Let the model compute on {device}", device=label)
        if for_object:
            about = translated("Compute the object on {device}", device=label)
        if name == AUTOMATIC:
            automatic = known.get(default) or known.get("default")
            label = translated("Automatic")
            if automatic:
                label = translated("Automatic ({device})", device=title(str(automatic)))
            about = translated("The engine takes what is sure to work")
        note = _reported(name).get("note")
        fresh.append((name, label, f"{about}. {note}" if note else about, number))
    if fresh != kept:  # an open menu may still point into the old texts
        kept[:] = fresh
    return kept


def _number(listed: list[tuple[str, str, str, int]], name: str) -> int:
    return next((item[3] for item in listed if item[0] == name), 0)


def _name(listed: list[tuple[str, str, str, int]], number: int) -> str:
    return next((item[0] for item in listed if item[3] == number), AUTOMATIC)
