"""Checks the engine's messages: numbers in their range, texts of a bounded length, no tokens."""

from __future__ import annotations

from typing import Any

from ..blot import Blot
from ..protocol import DamagedFrame

MOST_STEPS = 1 << 53  # the steps of a download are bytes; whole numbers up to here are exact as float
MOST_SECONDS = 1e9  # thirty years
MOST_MIB = 1e9  # a pebibyte
MOST_PARTS = 10_000  # of a file that is painted; far more than anybody has
_MOST_DEVICES = 64
TEXT_LIMIT = 2000  # characters of a text that people read
# A message is useless without these numbers. The largest value of each.
_NEEDED = {
    "step": MOST_STEPS,
    "total": MOST_STEPS,
    "vertices": MOST_STEPS,
    "triangles": MOST_STEPS,
    "part": MOST_PARTS,
}
# The largest value of a number that a message can do without, and what stands in for one that is out of range.
_OPTIONAL: dict[str, tuple[float, float | None]] = {
    "eta_s": (MOST_SECONDS, None),
    "rate": (1e15, None),
    "memory_mib": (MOST_MIB, 0.0),
    "ahead": (MOST_STEPS, 0),
    "queued": (MOST_STEPS, 0),
    "size": (MOST_STEPS, 0),
    "pid": (MOST_STEPS, 0),
    "protocol": (MOST_STEPS, 0),
}
_NOT_READ = ("type", "id")  # these texts are not for people, and must stay as they are


def sound_message(message: dict[str, Any], blot: Blot) -> dict[str, Any]:
    """The message with only what can be believed.

    message: as the engine sent it.
    blot: Blot, which takes tokens out of every text.
    Raises DamagedFrame where a number that the message needs is out of range.
    """
    sound: dict[str, Any] = {}
    for name, value in message.items():
        if name in _NEEDED and not in_range(value, _NEEDED[name]):
            why = f"'{name}' of the message '{message['type']}' is no number from 0 to {_NEEDED[name]:,}."
            raise DamagedFrame("protocol.range", why)
        if name in _OPTIONAL and value is not None:
            most, instead = _OPTIONAL[name]
            sound[name] = value if in_range(value, most) else instead
        elif name in _NOT_READ:
            sound[name] = value
        elif name == "devices" and isinstance(value, dict):
            sound[name] = sound_devices(blot.value(value))
        elif isinstance(value, str):
            sound[name] = shortened(blot.text(value))
        else:
            sound[name] = blot.value(value)
    return sound


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
        }
        for one in named[:_MOST_DEVICES]
    ]
    return {**report, "default": default if isinstance(default, str) else "cpu", "devices": devices}


def in_range(value: Any, most: float) -> bool:
    """Whether a value is a finite number from 0 to `most`."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most


def shortened(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text, cut after `limit` characters."""
    return text if len(text) <= limit else text[:limit] + "..."
