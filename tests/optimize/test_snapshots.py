"""Snapshots come as often as their time allows, and end where there is no memory for them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from dreamfusion_engine.events import Event, Note
from dreamfusion_engine.optimize import snapshots
from dreamfusion_engine.optimize.snapshots import Snapshots
from dreamfusion_engine.optimize.training import Training

TRAINING = cast(Training, None)  # it is only handed on


@pytest.mark.parametrize(
    ("cost", "apart"),
    [
        pytest.param(0.01, 2, id="cheap: not more often than somebody can look"),
        pytest.param(0.15, 3, id="dearer: a twentieth of the time"),
        pytest.param(1.0, 5, id="dear: somebody is watching"),
        pytest.param(2.0, 8, id="very dear: a quarter of the time"),
    ],
)
def test_a_snapshot_comes_as_often_as_its_time_allows(monkeypatch: pytest.MonkeyPatch, cost: float, apart: int) -> None:
    now = 1000.0
    shown: list[float] = []

    def show(training: Training) -> None:
        nonlocal now
        shown.append(now)
        now += cost

    monkeypatch.setattr(snapshots, "time", SimpleNamespace(monotonic=lambda: now))
    made = Snapshots(show, lambda event: None)
    made.show_if_due(TRAINING, now)
    first = now = shown[0]
    for _ in range(400):
        now += 0.05
        made.show_if_due(TRAINING, now)
        if len(shown) > 1:
            break
    assert shown[1] - first == pytest.approx(apart, abs=0.06)


def test_without_memory_there_is_one_attempt_and_one_note() -> None:
    def show(training: Training) -> Any:
        shown.append(training)
        raise torch.OutOfMemoryError("CUDA out of memory.")

    shown: list[Training] = []
    said: list[Event] = []
    made = Snapshots(show, said.append)
    for now in (1e9, 2e9, 3e9):
        made.show_if_due(TRAINING, now)
    assert len(shown) == 1
    assert [note.code for note in said if isinstance(note, Note)] == ["memory.previews"]


def test_another_error_of_a_snapshot_is_not_hidden() -> None:
    def show(training: Training) -> Any:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        Snapshots(show, lambda event: None).show_if_due(TRAINING, 1e9)
