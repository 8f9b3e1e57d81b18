"""What the engine can compute on, as a list to choose from."""

from __future__ import annotations

from typing import Any

from bpy.types import Context

AUTOMATIC = "auto"
# Blender keeps no copy of the texts of a computed list: without this reference it would show freed memory.
_items: list[tuple[str, str, str, int]] = []


def report() -> dict[str, Any]:
    """What the engine last said about its devices; empty before it has spoken."""
    from . import session  # session needs the preferences, which need this list

    if not session.begun():
        return {}
    here = session.current()
    return here.queue.devices or (here.report.devices if here.report is not None else {})


def title(name: str) -> str:
    """A device as artists call it: 'NVIDIA RTX 4090, 24 GiB', 'Processor'."""
    found = next((device for device in report().get("devices", []) if device.get("name") == name), None)
    if found is None or name == "cpu":
        return "Processor (CPU)" if name == "cpu" else name
    return f"{found.get('title', name)}, {round(float(found.get('memory_mib', 0)) / 1024)} GiB"


def items(preferences: Any, _context: Context | None) -> list[tuple[str, str, str, int]]:
    """The list: (name, label, description, number). The chosen device is in it even if it is not there now."""
    names = [AUTOMATIC, "cpu"] + [str(device.get("name")) for device in report().get("devices", [])]
    if preferences is not None:
        names.append(preferences.device)
    fresh = []
    for number, name in enumerate(dict.fromkeys(names)):
        label = f"Automatic ({title(report()['default'])})" if name == AUTOMATIC and report() else title(name)
        fresh.append((name, "Automatic" if label == AUTOMATIC else label, f"Compute on {name}", number))
    if fresh != _items:  # an open menu may still point into the old texts
        _items[:] = fresh
    return _items


def chosen(preferences: Any) -> int:
    """The number of the chosen device in the list."""
    return next((item[3] for item in items(preferences, None) if item[0] == preferences.device), 0)


def choose(preferences: Any, number: int) -> None:
    """Choose the device with this number in the list."""
    preferences.device = next((item[0] for item in items(preferences, None) if item[3] == number), AUTOMATIC)
