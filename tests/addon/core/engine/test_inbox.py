"""What waits for the main thread: bounded, in order, only sound pictures and meshes, the newest ones."""

from __future__ import annotations

import io
import struct
import threading
import time
from typing import Any

import pytest
from fakes.shapes import ball_glb, png, tetrahedron

from blender_addon.core.engine.byte_source import ByteSource
from blender_addon.core.engine.inbox import LIMIT, Inbox
from blender_addon.core.engine.payload import glb_fault, mesh_fault, payload_fault
from blender_addon.core.job import Job, Recipe
from blender_addon.core.jobs.changes import Change, Changes
from blender_addon.core.protocol import EVENTS, Frame, encode, read_frame


def frame(message_type: str, data: bytes = b"", **fields: Any) -> Frame:
    return Frame({"type": message_type, **fields}, data)


def drained(inbox: Inbox) -> list[dict[str, Any]]:
    frames = []
    while (one := inbox.get()) is not None:
        frames.append(one.message)
    return frames


def test_the_newest_picture_of_a_name_wins_and_takes_its_place_at_the_end() -> None:
    inbox = Inbox()
    for step in range(3):
        inbox.put(frame("preview", id="a", name="latest", step=step))
        inbox.put(frame("preview", id="a", name="views", step=step))
        inbox.put(frame("progress", id="a", step=step))
        inbox.put(frame("note", id="a", code="x", text=str(step)))
    assert [(m["type"], m.get("step", m.get("text"))) for m in drained(inbox)] == [
        ("note", "0"),
        ("note", "1"),
        ("preview", 2),
        ("preview", 2),
        ("progress", 2),
        ("note", "2"),
    ]


def test_a_flood_is_bounded_and_keeps_every_ending() -> None:
    inbox = Inbox()
    inbox.put(frame("result", id="a"))
    for number in range(5 * LIMIT):
        inbox.put(frame("note", id="a", code="x", text=str(number)))
        inbox.put(frame("preview", id="a", name=str(number), step=0))
    inbox.put(frame("failed", id="b"))
    assert len(inbox) == LIMIT
    types = [message["type"] for message in drained(inbox)]
    assert types[0] == "result" and types[-1] == "failed"


def test_nothing_is_lost_between_threads() -> None:
    inbox, got = Inbox(), []
    total = 400

    def put() -> None:
        for number in range(total):
            inbox.put(frame("note", id="a", code="x", text=str(number)))
            if number % 50 == 0:
                time.sleep(0.001)

    thread = threading.Thread(target=put)
    thread.start()
    while thread.is_alive() or len(inbox):
        one = inbox.get()
        if one is not None:
            got.append(int(one.message["text"]))
    assert got == list(range(total))


def test_sound_payloads_pass() -> None:
    assert payload_fault(frame("preview", png(4, 4, 9), id="a", name="latest", step=1)) is None
    assert payload_fault(frame("mesh_preview", tetrahedron(1.0), id="a", step=1, vertices=4, triangles=4)) is None
    assert payload_fault(frame("result", ball_glb("a", 1), id="a")) is None
    assert mesh_fault(b"", 0, 0) is None


@pytest.mark.parametrize("corner", [-1, 4, 2**31 - 1, -(2**31)])
def test_a_corner_outside_of_the_mesh_is_found(corner: int) -> None:
    data = bytearray(tetrahedron(1.0))
    data[60:64] = struct.pack("<i", corner)
    assert mesh_fault(bytes(data), 4, 4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_vertex_that_is_nowhere_is_found(value: float) -> None:
    assert mesh_fault(struct.pack("<f", value) + tetrahedron(1.0)[4:], 4, 4)


def test_a_mesh_of_another_size_than_it_says_is_found() -> None:
    for vertices, triangles in ((5, 4), (4, 5), (-4, 4), (4, -4), (0, 0)):
        assert mesh_fault(tetrahedron(1.0), vertices, triangles)


def test_half_a_picture_and_half_a_glb_are_found() -> None:
    whole = ball_glb("a", 1)
    for length in range(0, len(whole), 97):
        assert glb_fault(whole[:length])
    assert payload_fault(frame("preview", png(9, 9, 1)[:-3], id="a", name="latest", step=1))


class Trickle(io.RawIOBase):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, data: bytes, piece: int) -> None:
        self.data, self.piece = data, piece

    def read(self, count: int = -1) -> bytes:
        taken, self.data = self.data[: min(self.piece, count)], self.data[min(self.piece, count) :]
        return taken


@pytest.mark.parametrize("piece", [1, 3, 1000, 1 << 20])
def test_frames_are_read_whole_from_any_pieces(piece: int) -> None:
    message = {"type": "preview", "id": "a", "name": "latest", "step": 1}
    data = bytes(range(256)) * 20 + b"\n{}\n"
    source = ByteSource(Trickle(encode(message, data) * 3 + encode({"type": "bye"}), piece))  # type: ignore[arg-type]
    for _ in range(3):
        found = read_frame(source, EVENTS)  # type: ignore[arg-type]
        assert found is not None and found.data == data
    last = read_frame(source, EVENTS)  # type: ignore[arg-type]
    assert last is not None and last.message["type"] == "bye"
    assert read_frame(source, EVENTS) is None  # type: ignore[arg-type]


def test_a_slow_payload_counts_as_heard_and_garbage_does_not() -> None:
    source = ByteSource(Trickle(b"x" * 100 + b"\n" + b"y" * 100, 10))  # type: ignore[arg-type]
    source.heard = 0.0
    source.readline(1000)
    assert source.heard == 0.0
    source.read(50)
    assert source.heard > 0.0


def test_changes_keep_the_newest_picture_of_each_job() -> None:
    changes = Changes()
    one, two = (Job(name, Recipe("a"), None) for name in "ab")  # type: ignore[arg-type]
    for step in range(3):
        for job in (one, two):
            changes.say(Change(job, "picture", name="latest", step=step))
        changes.say(Change(one, "state"))
    taken = changes.take()
    assert [(c.topic, c.step) for c in taken if c.topic == "picture"] == [("picture", 2)] * 2
    assert sum(c.topic == "state" for c in taken) == 3 and not changes
