"""A choice is kept whole or not at all, and is the fastest of those that are exact enough."""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path
from typing import Any

import pytest

from dreamfusion_engine.guidance.denoiser.choice import (
    LEAST_COSINE,
    WORTH,
    WORTH_OVERLAP,
    Choice,
    ChoiceFile,
    fastest,
    make_room,
    overlapped,
)

TORCH = Choice(runtime="torch", precision="bfloat16", threads=1)
EXACT = Choice(runtime="openvino", precision="float32", threads=1)
HALF = Choice(runtime="openvino", precision="bfloat16", threads=2)


def test_the_fastest_way_that_is_exact_enough_is_chosen_with_its_figures() -> None:
    chosen = fastest(TORCH, {TORCH: 40.0, EXACT: 30.0, HALF: 20.0}, {TORCH: 0.99999, EXACT: 1.0, HALF: 0.99999})
    assert chosen == HALF
    assert chosen.milliseconds == {TORCH.name: 40.0, EXACT.name: 30.0, HALF.name: 20.0}
    assert chosen.cosines[HALF.name] == 0.99999


@pytest.mark.parametrize("cosine", [LEAST_COSINE - 1e-6, math.nan])
def test_a_way_that_is_not_exact_enough_is_not_chosen(cosine: float) -> None:
    assert fastest(TORCH, {TORCH: 40.0, EXACT: 30.0, HALF: 20.0}, {TORCH: 1.0, EXACT: 1.0, HALF: cosine}) == EXACT


@pytest.mark.parametrize("milliseconds", [WORTH * 40.0 + 0.01, 50.0, math.nan])
def test_what_is_not_clearly_faster_or_failed_leaves_torch(milliseconds: float) -> None:
    assert fastest(TORCH, {TORCH: 40.0, HALF: milliseconds}, {TORCH: 1.0, HALF: 1.0}) == TORCH


def test_torch_as_it_runs_today_stays_however_inexact_it_is() -> None:
    assert fastest(TORCH, {TORCH: 40.0}, {TORCH: 0.9}) == TORCH


def test_steps_are_overlapped_where_that_is_clearly_faster_with_the_threads_that_were() -> None:
    plain, one, two = (
        dataclasses.replace(HALF, threads=threads, overlap=overlap)
        for threads, overlap in ((2, False), (1, True), (2, True))
    )
    settled = overlapped(HALF, {plain: 100.0, one: 70.0, two: 80.0})
    assert (settled.overlap, settled.threads) == (True, 1)
    assert settled.milliseconds[plain.step_name] == 100.0 and len(settled.milliseconds) == 3
    for close in (100.0 * WORTH_OVERLAP + 0.01, math.nan):
        settled = overlapped(HALF, {plain: 100.0, one: close, two: close})
        assert (settled.overlap, settled.threads) == (False, 2)
    assert not overlapped(HALF, {plain: math.nan, one: 70.0}).overlap


def test_a_choice_of_an_earlier_version_does_not_overlap() -> None:
    values = HALF.to_json()
    del values["overlap"]
    assert Choice.from_json(values).overlap is None


def test_what_is_kept_is_read_back_and_only_for_what_it_was_kept_for(tmp_path: Path) -> None:
    kept = fastest(TORCH, {TORCH: 40.0, HALF: 20.0}, {TORCH: 1.0, HALF: 1.0})
    ChoiceFile(tmp_path, ["machine", 2]).write(kept)
    assert ChoiceFile(tmp_path, ["machine", 2]).read() == kept
    assert ChoiceFile(tmp_path, ["machine", 4]).read() is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"choice": 1}', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    file = ChoiceFile(tmp_path, "x")
    file.write(TORCH)
    (path,) = tmp_path.glob("choice-*.json")
    path.write_bytes(content)
    assert file.read() is None
    file.write(HALF)
    assert file.read() == HALF


def test_a_file_that_was_changed_by_hand_counts_as_none(tmp_path: Path) -> None:
    file = ChoiceFile(tmp_path, "x")
    file.write(TORCH)
    (path,) = tmp_path.glob("choice-*.json")
    path.write_text(path.read_text(encoding="utf-8").replace('"torch"', '"openvino"'), encoding="utf-8")
    assert file.read() is None


@pytest.mark.parametrize(
    "change",
    [
        {"runtime": "tape"},
        {"precision": "int8"},
        {"threads": 0},
        {"threads": 10**9},
        {"threads": True},
        {"threads": "2"},
        {"overlap": 1},
        {"milliseconds": None},
        {"cosines": {"a": "b"}},
        {"cosines": {"a": float("nan")}},
    ],
)
def test_values_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="choice|convert"):
        Choice.from_json({**HALF.to_json(), **change})


def test_the_graphs_of_the_newest_models_stay(tmp_path: Path) -> None:
    for age in range(6):
        folder = tmp_path / f"model{age}"
        folder.mkdir()
        (folder / "graph.bin").write_bytes(b"x")
        (folder / "choice-1.json").write_text("{}", encoding="utf-8")
        os.utime(folder / "graph.bin", (1e9 - age, 1e9 - age))
    make_room(tmp_path, tmp_path / "model5")
    assert sorted(path.parent.name for path in tmp_path.glob("*/graph.bin")) == ["model0", "model1", "model5"]
    assert len(list(tmp_path.glob("*/choice-1.json"))) == 6
