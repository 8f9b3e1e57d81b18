"""Checks the engine's messages: numbers in their range, texts of a bounded length, no tokens."""

from __future__ import annotations

from typing import Any

from ..blot import Blot
from ..protocol import EVENTS, NUMBERS, DamagedFrame, field_type

MOST_MIB = NUMBERS["mib"][1]
_MOST_DEVICES = 64
TEXT_LIMIT = 2000  # characters of a text that people read
_NOT_READ = ("type", "id")  # these texts are not for people, and must stay as they are


def sound_message(message: dict[str, Any], blot: Blot) -> dict[str, Any]:
    """The message with only what can be believed.

    message: as the engine sent it, of EVENTS.
    blot: Blot, which takes tokens out of every text.
    Raises DamagedFrame where a number that the message needs is out of range.
    """
    sound: dict[str, Any] = {}
    specs = EVENTS[message["type"]]
    for name, value in message.items():
        spec = specs.get(name, "")
        if field_type(spec) in NUMBERS and value is not None:
            sound[name] = _sound_number(value, spec, f"'{name}' of the message '{message['type']}'")
        elif name in _NOT_READ:
            sound[name] = value
        elif name == "devices" and isinstance(value, dict):
            sound[name] = sound_devices(blot.value(value))
        elif isinstance(value, str):
            sound[name] = shortened(blot.text(value))
        else:
            sound[name] = blot.value(value)
    return sound


def _sound_number(value: Any, spec: str, subject: str) -> Any:
    """A number in its range; what stands for one out of range is None for '?' and 0 for '=0'."""
    most = NUMBERS[field_type(spec)][1]
    if in_range(value, most):
        return value
    if spec.endswith("?"):
        return None
    if spec.endswith("=0"):
        return 0
    raise DamagedFrame("protocol.range", f"{subject} is no number from 0 to {most:,}.")


def sound_devices(report: dict[str, Any]) -> dict[str, Any]:
    """A report on devices with only what can be believed: devices that have a name, and a possible amount of memory."""
    if not report:
        return {}
    listed, default = report.get("devices"), report.get("default")
    named = [one for one in listed if isinstance(one, dict) and one.get("name")] if isinstance(listed, list) else []
    devices = [
        {
            **one,
            "name": shortened(str(one["name"])),
            "title": shortened(str(one.get("title") or one["name"])),
            "memory_mib": one["memory_mib"] if in_range(one.get("memory_mib"), MOST_MIB) else 0,
            **({"note": shortened(str(one["note"]))} if "note" in one else {}),
        }
        for one in named[:_MOST_DEVICES]
    ]
    texts: dict[str, Any] = {name: shortened(str(report[name])) for name in ("default_field", "why") if name in report}
    return {**report, **texts, "default": default if isinstance(default, str) else "cpu", "devices": devices}


def in_range(value: Any, most: float) -> bool:
    """Whether a value is a finite number from 0 to `most`."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most


def shortened(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text, cut after `limit` characters."""
    return text if len(text) <= limit else text[:limit] + "..."
