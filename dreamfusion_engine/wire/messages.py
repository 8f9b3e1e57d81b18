"""Events of a run as messages: what the wire carries and what `generate --json` prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dreamfusion_engine.errors import Cancelled, EngineError
from dreamfusion_engine.events import Event, MeshPreview, Note, Preview, Progress, Result, TexturePreview
from dreamfusion_engine.wire.protocol import LINE_LIMIT

MODELS_BYTES = LINE_LIMIT * 3 // 4  # of the lines on models in one message, which has the devices beside them


def event_message(event: Event) -> tuple[dict[str, Any], bytes]:
    """Return the message of an event, without an id, and the bytes that go with it."""
    if isinstance(event, Progress):
        return {
            "type": "progress",
            "stage": event.stage,
            "step": event.step,
            "total": event.total,
            "eta_s": event.eta_s,
            "rate": event.rate,
            "memory_mib": event.memory_mib,
        }, b""
    if isinstance(event, Preview):
        return {"type": "preview", "name": event.name, "step": event.step}, event.png
    if isinstance(event, MeshPreview):
        return {
            "type": "mesh_preview",
            "step": event.step,
            "vertices": len(event.vertices) // 12,
            "triangles": len(event.triangles) // 12,
        }, event.vertices + event.triangles + event.colours
    if isinstance(event, TexturePreview):
        return {"type": "texture_preview", "step": event.step, "part": event.part}, event.png
    if isinstance(event, Note):
        return {"type": "note", "code": event.code, "text": event.text}, b""
    raise TypeError(f"not an event: {event!r}")


def result_message(result: Result) -> dict[str, Any]:
    """Return the message of a finished run, without an id."""
    return {"type": "result", "folder": result.folder, "files": result.files, "report": result.report}


def downloaded_message(model: str, folder: str, bytes_: int, license_name: str) -> dict[str, Any]:
    """Return the message of a finished download, without an id.

    model: str, hub id.
    folder: str, path of the model.
    bytes_: int, bytes of its files.
    license_name: str, as the hub names it.
    """
    return {"type": "downloaded", "model": model, "folder": folder, "size": bytes_, "license": license_name}


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
