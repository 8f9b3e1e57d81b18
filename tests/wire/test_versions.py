"""An old client understands a new engine's messages, or is told. What a client of a version knows is kept in a file.

Of: dreamfusion_engine/wire/protocol.py, dreamfusion_engine/wire/printed.py, docs/messages.md.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from dreamfusion_engine.wire.protocol import PROTOCOL_VERSION, DamagedFrame, Frame, encode, field_type, read_frame
from dreamfusion_engine.wire.schema import TABLES, Table

KEPT = Path(__file__).with_name(f"protocol_{PROTOCOL_VERSION}.json")
TELL = "An older client would not survive this: raise PROTOCOL_VERSION, and keep the tables of the new version."


def optional(spec: str) -> bool:
    return spec.endswith("?")


def breaks_reader(old: Table, new: Table) -> list[str]:
    """What a reader that knows `old` does not survive in what a writer of `new` sends."""
    found = []
    for name, fields in old.items():
        if name not in new:
            found.append(f"{name} is gone")
            continue
        for field, spec in fields.items():
            now = new[name].get(field)
            if now is None:
                found += [] if optional(spec) else [f"{name}.{field} is gone"]
            elif field_type(now) != field_type(spec) or (optional(now) and not optional(spec)):
                found.append(f"{name}.{field} was {spec} and is {now}")
    return found


def breaks_writer(old: Table, new: Table) -> list[str]:
    """What a reader of `new` would refuse of a writer that knows `old`."""
    found = [f"{name} is gone" for name in old if name not in new]
    for name, fields in new.items():
        for field, spec in fields.items() if name in old else ():
            before = old[name].get(field)
            if before is None or (optional(before) and not optional(spec)):
                found += [] if optional(spec) else [f"{name}.{field} must be said now"]
            elif field_type(before) != field_type(spec):
                found.append(f"{name}.{field} was {before} and is {spec}")
    return found


@pytest.fixture(scope="module")
def kept() -> dict[str, Mapping[str, Mapping[str, str]]]:
    tables: dict[str, Mapping[str, Mapping[str, str]]] = json.loads(KEPT.read_text(encoding="utf-8"))
    return tables


def test_a_client_of_this_version_reads_all_that_it_knows(kept: dict[str, Table]) -> None:
    for table in ("event", "printed"):
        assert breaks_reader(kept[table], TABLES[table][1]) == [], TELL


def test_a_client_of_this_version_can_say_all_that_it_knows(kept: dict[str, Table]) -> None:
    assert breaks_writer(kept["command"], TABLES["command"][1]) == [], TELL


@pytest.mark.parametrize(
    "change",
    [
        {"note": {"id": "str", "code": "str"}},
        {"note": {"id": "str", "code": "str", "text": "list"}},
        {"note": {"id": "str", "code": "str", "text": "str?"}},
        {},
    ],
    ids=["a field gone", "another type", "a field that may be missing now", "a message gone"],
)
def test_a_change_that_breaks_a_reader_is_found(change: Table) -> None:
    old = {"note": {"id": "str", "code": "str", "text": "str"}}
    assert breaks_reader(old, old) == [] and len(breaks_reader(old, change)) == 1


def test_a_change_that_breaks_a_writer_is_found() -> None:
    old = {"cancel": {"id": "str", "why": "str?"}}
    assert breaks_writer(old, {"cancel": {"id": "str", "why": "str?", "now": "bool?"}, "fly": {"id": "str"}}) == []
    assert breaks_writer(old, {"cancel": {"id": "str", "why": "str", "now": "bool"}}) == [
        "cancel.why must be said now",
        "cancel.now must be said now",
    ]
    assert breaks_writer(old, {}) == ["cancel is gone"]


def test_an_old_client_passes_over_what_a_newer_engine_says_besides(kept: dict[str, Table]) -> None:
    """New messages, with bytes or without, and new fields, between those that it knows."""
    note = {"type": "note", "id": "a", "code": "b", "text": "c"}
    stream = io.BytesIO(
        encode({**note, "mood": {"good": True}})
        + encode({"type": "hologram", "id": "a"}, b"\n{}\n" * 9)
        + encode({"type": "mood", "id": "a"})
        + encode(note)
    )
    read: list[str] = []
    passed = 0
    while True:
        try:
            frame: Frame | None = read_frame(stream, kept["event"])
        except DamagedFrame as damage:
            assert damage.code == "protocol.unknown" and not damage.lost
            passed += 1
            continue
        if frame is None:
            break
        read.append(frame.message["type"])
    assert read == ["note", "note"] and passed == 2
