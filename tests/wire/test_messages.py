"""What is said of the models fits into a line, and those of most weight are in it."""

from __future__ import annotations

from typing import Any

from dreamfusion_engine.wire.messages import models_message
from dreamfusion_engine.wire.protocol import EVENTS, LINE_LIMIT, check_message, encode


def line(name: str, size: int) -> dict[str, Any]:
    return {"name": name, "kinds": ["x" * size]}


def test_a_list_that_fits_is_whole_and_told_apart_by_use() -> None:
    message, left_out = models_message([(True, line("a", 1)), (False, line("b", 1)), (False, line("c", 1))])
    assert left_out == 0
    assert [said["name"] for said in message["models"]] == ["a"]
    assert [said["name"] for said in message["suggestions"]] == ["b", "c"]


def test_a_list_that_is_too_long_leaves_out_what_does_not_fit() -> None:
    """`ready` was once longer than a line may be, and the client passed over it: no model at all."""
    lines = [(True, line("starter", 10)), (True, line("huge", LINE_LIMIT)), (True, line("next", 10))]
    lines += [(False, line(f"{number}", 10_000)) for number in range(200)]
    message, left_out = models_message(lines)
    assert [said["name"] for said in message["models"]] == ["starter", "next"]
    assert 0 < len(message["suggestions"]) < 200 and left_out == 201 - len(message["suggestions"])
    ready = {"type": "ready", "protocol": 1, "engine": "", "pid": 1, "devices": {}, **message}
    check_message(ready, EVENTS)
    assert len(encode(ready)) < LINE_LIMIT
