"""How many runs a machine takes at once."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from dreamfusion_engine.batch import room as room_module
from dreamfusion_engine.batch.room import CONTEXT_BYTES, MIB, Card, chosen_cards, numbered, shared_threads, slots

GIB = 1 << 30
TWO = "0, GPU-aa, 81920, 80000, NVIDIA H100\n1, GPU-bb, 24576, 24000, NVIDIA GeForce RTX 4090\n"


def room(**given: Any) -> int:
    known: dict[str, Any] = {"cores": 8, "threads": 1, "main_memory": 64 * GIB, "needs": GIB}
    return len(slots(**(known | given)))


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({}, 8),
        ({"threads": 4}, 2),
        ({"threads": 16}, 1),
        ({"main_memory": 4 * GIB}, 3),
        ({"main_memory": 0}, 1),
        ({"most": 2}, 2),
        ({"most": 20}, 20),
        ({"most": 20, "main_memory": 4 * GIB}, 3),
    ],
)
def test_on_a_cpu_cores_and_memory_say_it_and_there_is_always_one(given: dict[str, int], count: int) -> None:
    assert room(**given) == count


def test_a_card_takes_as_many_runs_as_fit_into_its_free_memory() -> None:
    cards = [Card(name="0", total=24 * GIB, free=20 * GIB), Card(name="1", total=24 * GIB, free=6 * GIB)]
    given = {"cores": 2, "threads": 1, "main_memory": 64 * GIB, "needs": GIB, "needs_of_card": 5 * GIB}
    found = [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots(**given, cards=cards)]
    assert found == ["0", "1", "0", "0"], "18 of 20 GiB, at 5.6 GiB each; one fits on the other"
    found = [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots(**given, cards=cards, most=2)]
    assert found == ["0", "1"], "a limit leaves no card without work"
    assert CONTEXT_BYTES < GIB


def test_main_memory_limits_the_runs_on_cards_too() -> None:
    cards = [Card(name="0", total=80 * GIB, free=80 * GIB)]
    assert len(slots(cores=2, threads=1, main_memory=5 * GIB, needs=GIB, cards=cards, needs_of_card=GIB)) == 2


@pytest.mark.parametrize(
    ("device", "visible", "names"),
    [
        ("auto", None, ["0", "1"]),
        ("cuda:1", None, ["1"]),
        ("cuda:7", None, []),
        ("auto", "1", ["1"]),
        ("auto", "GPU-bb,0", ["1", "0"]),
        ("cuda:0", "1,0", ["1"]),
        ("auto", "", []),
        ("RTX 4090", None, ["1"]),
        ("teacher=h100,field=cpu", None, ["0"]),
        ("teacher=cuda:1,field=cpu", None, ["1"]),
        ("nvidia", "1,0", ["1", "0"]),
        ("RTX 5090", None, []),
    ],
)
def test_the_cards_are_those_that_the_runs_would_see(device: str, visible: str | None, names: list[str]) -> None:
    assert [card.name for card in chosen_cards(TWO, device, visible)] == names


@pytest.mark.parametrize(("device", "is_numbered"), [("cuda:1", True), ("teacher=cuda:0", True), ("RTX 4090", False)])
def test_a_run_that_names_its_card_by_number_must_see_them_all(device: str, is_numbered: bool) -> None:
    assert numbered(device) is is_numbered


@pytest.mark.parametrize("device", ["cpu", "mps", "xpu:1", "teacher=cpu,field=cuda", "rocm"])
def test_a_teacher_elsewhere_takes_no_card_of_nvidias(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "nvidia-smi")
    monkeypatch.setattr(room_module, "_is_cpu_build", lambda: False)
    monkeypatch.setattr(room_module, "bounded_answer", lambda command, seconds: TWO)
    assert room_module.cards(device) == [] and len(room_module.cards("auto")) == 2


def test_what_is_no_card_is_passed_over() -> None:
    assert chosen_cards("Failed to start: no driver\n\n0, GPU-aa, [N/A], 3", "auto", None) == []
    assert chosen_cards(TWO, "auto", None)[0].total == 81920 * MIB


def test_many_jobs_have_one_thread_each_and_few_share_the_cores() -> None:
    assert [shared_threads(8, jobs) for jobs in (1, 2, 3, 8, 1000)] == [8, 4, 2, 1, 1]
    assert shared_threads(1, 5) == 1
