"""What is kept of a client's job while it moves from machine to machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dreamfusion_engine.batch.needs import Needs
from dreamfusion_engine.batch.orders import Order


def order(**message: Any) -> Order:
    return Order(
        name="one", message={"type": "generate", **message}, data=b"", output=Path("/here"), needs=Needs(main=1, card=1)
    )


@pytest.mark.parametrize(
    ("said", "again"),
    [
        (["pause"], ["pause"]),
        (["pause", "resume"], []),
        (["pause", "resume", "pause"], ["pause"]),
        (["finish"], ["finish"]),
        (["pause", "cancel"], ["pause", "cancel"]),
    ],
)
def test_another_machine_hears_what_still_counts(said: list[str], again: list[str]) -> None:
    one = order()
    for kind in said:
        one.tell({"type": kind, "id": "one"})
    assert [each["type"] for each in one.told] == said
    one.again()
    assert [each["type"] for each in one.told] == again and all(each["id"] == "one" for each in one.told)


def test_the_last_choice_of_a_seed_counts() -> None:
    one = order()
    for seed in (3, 5):
        one.tell({"type": "choose", "id": "one", "seed": seed})
    one.again()
    assert one.told == [{"type": "choose", "seed": 5, "id": "one"}]


def test_a_checkpoint_of_an_earlier_run_does_not_count_and_one_that_came_back_does() -> None:
    assert not order().kept and order(resume=True).kept
    one = order()
    one.arrived(["previews/step-10.png"])
    assert not one.kept
    one.arrived(["checkpoint/checkpoint.json"])
    assert one.kept
    contest = order()
    contest.arrived(["contest.json"])
    assert contest.kept


def test_a_result_is_told_with_the_folder_of_this_machine() -> None:
    told = order().here(
        {"type": "result", "id": "x", "folder": "/there/run", "files": {"mesh.glb": "/there/run/mesh.glb"}}
    )
    assert told["folder"] == "/here" and told["files"] == {"mesh.glb": "/here/mesh.glb"} and told["id"] == "one"
    assert order().here({"type": "progress", "step": 3}) == {"type": "progress", "step": 3, "id": "one"}
