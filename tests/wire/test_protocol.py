"""Frames survive the wire, and damage is found, named and passed over."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import typing
from typing import Any

import pytest

from dreamfusion_engine.errors import Cancelled, RunError
from dreamfusion_engine.events import Downloaded, Event, MeshPreview, Note, Preview, Progress, Result, WholeCutOut
from dreamfusion_engine.server.work import TASKS
from dreamfusion_engine.wire import protocol
from dreamfusion_engine.wire.messages import error_message, event_message
from dreamfusion_engine.wire.protocol import (
    COMMANDS,
    ENDINGS,
    EVENTS,
    NEWEST_MATTERS,
    DamagedFrame,
    Frame,
    Wire,
    encode,
    read_frame,
)

CANCEL = {"type": "cancel", "id": "a"}
PREVIEW = {"type": "preview", "id": "a", "name": "latest", "step": 1}


def damage(data: bytes) -> tuple[DamagedFrame, bytes]:
    """The damage found at the start of `data`, and what is left to read after it."""
    stream = io.BytesIO(data)
    with pytest.raises(DamagedFrame) as caught:
        read_frame(stream, COMMANDS)
    return caught.value, stream.read()


def test_a_frame_comes_back_with_its_bytes_even_when_they_look_like_frames() -> None:
    data = b'\n{"type":"cancel","id":"b"}\n\x00\xff'
    stream = io.BytesIO(encode(PREVIEW, data) + encode({"type": "bye"}))
    first, second = read_frame(stream, EVENTS), read_frame(stream, EVENTS)
    assert first is not None and first.message == {**PREVIEW, "bytes": len(data)} and first.data == data
    assert second is not None and second.message == {"type": "bye"} and second.data == b""
    assert read_frame(stream, EVENTS) is None


def test_text_of_any_script_survives() -> None:
    message = {"type": "generate", "id": "1", "prompt": "ein Becher, 赤いマグ, 🍔\n"}
    frame = read_frame(io.BytesIO(encode(message)), COMMANDS)
    assert frame is not None and frame.message == message


def test_every_event_of_a_run_fits_the_table() -> None:
    events: list[Event] = [
        Progress(stage="train", step=1, total=2, eta_s=None, rate=None, memory_mib=1.0),
        Progress(stage="bake", step=1, total=2, eta_s=3, rate=0.5, memory_mib=1),
        Preview(name="latest", step=3, png=b"PNG"),
        MeshPreview(step=4, vertices=bytes(24), triangles=bytes(36), colours=bytes(6)),
        Note(code="a.b", text="c"),
    ]
    messages = [event_message(event) for event in events]
    messages.append((event_message(Result(folder="f", files={"mesh": "g"}, report={"x": 1}))[0], b"glTF"))
    messages.append((error_message(RunError("run.empty", what="a", why="b", fix="c")), b""))
    messages.append((error_message(Cancelled("cancelled", what="a", why="b", fix="c")), b""))
    for message, data in messages:
        frame = read_frame(io.BytesIO(encode({**message, "id": "job"}, data)), EVENTS)
        assert frame is not None and frame.data == data and frame.message["id"] == "job"


@pytest.mark.parametrize(
    "event", [*typing.get_args(Event), Result, Downloaded, WholeCutOut], ids=lambda event: event.message
)
def test_the_fields_of_an_event_are_those_of_its_message(event: Any) -> None:
    told = {about.name for about in dataclasses.fields(event) if about.type != "bytes" or "row" in about.metadata}
    carries = any(about.type == "bytes" for about in dataclasses.fields(event)) or event is Result  # the server adds it
    table = set(EVENTS[event.message])
    assert table == told | {"id"} | ({"bytes"} if carries else set())


def test_every_number_has_a_range_and_every_payload_a_check() -> None:
    """A plain int or float of the engine would be believed whatever it is."""
    for name, fields in EVENTS.items():
        for field, spec in fields.items():
            assert spec.rstrip("?") not in ("int", "float"), (name, field)
            assert field != "bytes" or spec in protocol.DATA, name


def test_what_is_said_of_messages_is_about_messages_that_exist() -> None:
    assert set(ENDINGS) <= set(EVENTS)
    assert all(set(fields) | {"id"} <= set(EVENTS[name]) for name, fields in NEWEST_MATTERS.items())
    assert set(TASKS) == {name for name, fields in COMMANDS.items() if "prompt" in fields}


def test_a_mesh_preview_says_how_to_cut_its_bytes() -> None:
    event = MeshPreview(step=4, vertices=b"v" * 24, triangles=b"t" * 36, colours=b"c" * 6)
    message, data = event_message(event)
    v, t = 12 * message["vertices"], 12 * message["triangles"]
    assert (data[:v], data[v : v + t], data[v + t :]) == (event.vertices, event.triangles, event.colours)


def test_numbers_that_are_not_finite_travel_as_null() -> None:
    line = encode({"type": "note", "values": [1.0, float("nan"), {"x": float("-inf")}]})
    assert json.loads(line)["values"] == [1.0, None, {"x": None}]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"hello\n", "protocol.json"),
        (b"\n", "protocol.json"),
        (b"[1, 2]\n", "protocol.json"),
        (b'{"type": "cancel", "id": "\xff"}\n', "protocol.json"),
        (b'{"type": "cancel", "id": "\\ud800"}\n', "protocol.json"),
        (b"[" * 100_000 + b"\n", "protocol.json"),
        (b'{"type": "explode"}\n', "protocol.unknown"),
        (b'{"type": 7}\n', "protocol.unknown"),
        (b"{}\n", "protocol.unknown"),
        (b'{"type": "cancel"}\n', "protocol.field"),
        (b'{"type": "cancel", "id": null}\n', "protocol.field"),
        (b'{"type": "cancel", "id": 3}\n', "protocol.field"),
        (b'{"type": "hello", "protocol": true}\n', "protocol.field"),
        (b'{"type": "hello", "protocol": 1.5}\n', "protocol.field"),
        (b'{"type": "models", "bytes": -1}\n', "protocol.bytes"),
        (b'{"type": "models", "bytes": "3"}\n', "protocol.bytes"),
        (b'{"type": "models", "bytes": true}\n', "protocol.bytes"),
        (b'{"type": "models", "bytes": 1' + b"0" * 400 + b"}\n", "protocol.json"),
        (b'{"type": "cancel", "id": "' + b"a" * 201 + b'"}\n', "protocol.field"),
    ],
)
def test_a_damaged_line_is_named_and_the_next_one_is_read(line: bytes, code: str) -> None:
    found, rest = damage(line + encode(CANCEL))
    assert (found.code, found.lost) == (code, False)
    assert rest == encode(CANCEL)


def test_the_data_of_an_unknown_message_is_passed_over() -> None:
    found, rest = damage(encode({"type": "explode"}, b"x\ny\n" * 100) + encode(CANCEL))
    assert found.code == "protocol.unknown" and rest == encode(CANCEL)


def test_a_line_that_never_ends_costs_no_memory_and_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LINE_LIMIT", 1000)
    found, rest = damage(b"x" * 300_000 + b"\n" + encode(CANCEL))
    assert found.code == "protocol.line_long" and not found.lost and rest == encode(CANCEL)


def test_too_much_data_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "DATA_LIMIT", 1000)
    found, rest = damage(encode({"type": "models"}, b"x" * 200_000) + encode(CANCEL))
    assert found.code == "protocol.bytes" and not found.lost and rest == encode(CANCEL)


@pytest.mark.parametrize("data", [b'{"type": "mod', b'{"type": "models", "bytes": 10}\n123'])
def test_an_end_in_the_middle_is_the_end(data: bytes) -> None:
    found, _ = damage(data)
    assert found.code == "protocol.truncated" and found.lost


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "generate", "id": "job-1"}',
        b'{"type": "download", "id": "job-1"}',
        b'{"type": "generate", "id": "job-1", "prompt": "a mug", "settings": {"seed": 1e999}}',
        b'{"type": "generate", "id": "job-1", "prompt": "a mug", "settings": {"seed": 1' + b"0" * 400 + b"}}",
        b'{"type": "generate", "id": "job-1", "prompt": "\\udc80"}',
        b'{"type": "generate", "id": "job-1", "prompt": "a mug", "settings": {"a": ' + b"[" * 90 + b"]" * 90 + b"}}",
    ],
)
def test_a_job_that_cannot_be_taken_keeps_its_id(line: bytes) -> None:
    assert damage(line + b"\n")[0].request == "job-1"


def test_an_id_that_cannot_be_answered_is_not_repeated() -> None:
    for name in ("a" * 201, "a" * 450_000, "\\ud800"):
        found, _ = damage(f'{{"type": "generate", "prompt": "a mug", "id": "{name}"}}\n'.encode())
        assert found.request is None and len(found.why) < 300


def test_data_of_a_command_that_carries_none_is_passed_over_and_refused() -> None:
    found, rest = damage(encode({"type": "models"}, b"x" * 200_000) + encode(CANCEL))
    assert found.code == "protocol.bytes" and "carries no data" in found.why and rest == encode(CANCEL)


def test_a_half_of_a_character_does_not_make_a_line_unreadable() -> None:
    frame = read_frame(io.BytesIO(encode({"type": "note", "id": "a", "code": "b", "text": "\udc80 and 🍔"})), EVENTS)
    assert frame is not None and frame.message["text"] == "? and 🍔"


def sent(message: dict[str, object], data: bytes = b"") -> Frame:
    stream = io.BytesIO()
    Wire(stream).send(message, data)
    frame = read_frame(io.BytesIO(stream.getvalue()), EVENTS)
    assert frame is not None
    return frame


def test_a_message_that_is_too_long_for_a_line_is_told_to_its_job() -> None:
    """2.7 MB once, which the client dropped: its job never ended."""
    long: dict[str, object] = {
        "type": "failed",
        "id": "a",
        "code": "b",
        "what": "\u00fc" * 450_000,
        "why": "c",
        "fix": "d",
    }
    cut = sent(long)
    assert (cut.message["id"], cut.message["code"], len(cut.message["what"])) == ("a", "b", 2003)
    listed = sent({"type": "result", "id": "a", "folder": "f", "files": {}, "report": {"x": [1.5] * 300_000}}, b"glTF")
    assert (listed.message["type"], listed.message["id"]) == ("failed", "a") and listed.data == b""
    assert listed.message["code"] == "protocol.line_long"


def test_no_garbage_raises_anything_else_or_reads_for_ever() -> None:
    chance = random.Random(0)
    good = [encode(CANCEL), encode({"type": "models"}, b"data"), b'{"bytes": 5}\n', b"{", b"\xc3\x28\n", b"\n"]
    for _ in range(300):
        data = b"".join(chance.choice([*good, chance.randbytes(chance.randrange(40))]) for _ in range(10))
        stream = io.BytesIO(data)
        for _ in range(len(data) + 2):
            try:
                if read_frame(stream, COMMANDS) is None:
                    break
            except DamagedFrame as found:
                if found.lost:
                    break
        else:
            pytest.fail(f"no end in {data!r}")
