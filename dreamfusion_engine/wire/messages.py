"""Events of a run as messages: what the wire carries and what `generate --json` prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from dreamfusion_engine.errors import Cancelled, EngineError
from dreamfusion_engine.events import Downloaded, Event, Result, WholeCutOut
from dreamfusion_engine.wire.protocol import LINE_LIMIT

MODELS_BYTES = LINE_LIMIT * 3 // 4  # of the lines on models in one message, which has the devices beside them


def event_message(event: Event | Result | Downloaded | WholeCutOut) -> tuple[dict[str, Any], bytes]:
    """Return the message of an event, without an id, and the bytes that go with it."""
    message: dict[str, Any] = {"type": event.message}
    data = b""
    for about in fields(event):
        value = getattr(event, about.name)
        if not isinstance(value, bytes):
            message[about.name] = value
            continue
        data += value
        if "row" in about.metadata:
            message[about.name] = len(value) // about.metadata["row"]
    return message, data


def models_message(
    lines: Sequence[tuple[bool, dict[str, Any]]], room: int = MODELS_BYTES
) -> tuple[dict[str, Any], int]:
    """Return the model fields of `ready` and `models` within the client's limit, and how many models were left out.

    lines: whether a model can be used, and its JSON, most important first.
    room: int, bytes of all of them.
    """
    kept: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for usable, said in lines:
        size = len(json.dumps(said)) + 1
        if size <= room:
            room -= size
            kept[usable].append(said)
    message = {"models": kept[True], "suggestions": kept[False]}
    return message, len(lines) - len(kept[True]) - len(kept[False])


def error_message(error: EngineError) -> dict[str, Any]:
    """Return `cancelled` or `failed`, without an id."""
    if isinstance(error, Cancelled):
        return {"type": "cancelled", "what": error.what, "why": error.why, "fix": error.fix}
    return {"type": "failed", **error.to_json()}
