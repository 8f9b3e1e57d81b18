"""A batch that is stopped says for how long, lets runs save, and waits for none that has nothing to save.

Of: dreamfusion_engine/batch/local.py, dreamfusion_engine/batch/engine_process.py.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dreamfusion_engine.batch import local
from dreamfusion_engine.batch.local import Work, work_here
from dreamfusion_engine.batch.news import News, Outcome, trained
from dreamfusion_engine.batch.room import Slot


class Run:
    """Stands for a process: it has done steps or not, and ends when it is killed, or a while after it was stopped."""

    made: list[Run] = []

    def __init__(
        self, name: str, _command: object, _environment: object, _log: Path, hear: Callable[[News], None]
    ) -> None:
        self.name, self.hear = name, hear
        self.has_work = name.startswith("trained")
        self.stopped = self.killed = False
        Run.made.append(self)

    def stop(self) -> None:
        self.stopped = True

    def kill(self) -> None:
        if not self.killed:
            self.killed = True
            self.hear(News(kind="ended", job=self.name, outcome=Outcome(fate="died")))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Seconds that pass at every look at the clock, not by themselves."""
    ticks = itertools.count()
    seen: list[float] = []

    def now() -> float:
        seen.append(next(ticks) * 0.5)
        return seen[-1]

    monkeypatch.setattr(time, "monotonic", now)
    monkeypatch.setattr(local, "EngineProcess", Run)
    monkeypatch.setattr(local, "_ASKED_EVERY", 0.001)
    Run.made = []
    yield seen


def stop(tmp_path: Path, *names: str) -> list[News]:
    """Begin jobs and stop them at once; return what was told."""
    heard: list[News] = []
    jobs: list[dict[str, Any]] = [{"name": name, "prompt": name, "seed": 0} for name in names]
    work = Work(jobs=jobs, folder=tmp_path, options=[], threads=1, program=["x"])
    slots = [Slot(where="here", environment={}) for _ in names]
    work_here(work, slots, heard.append, lambda: len(Run.made) == len(names))
    return heard


def test_a_run_that_has_not_done_a_step_is_not_waited_for(tmp_path: Path, clock: list[float]) -> None:
    heard = stop(tmp_path, "loading")
    assert Run.made[0].stopped and Run.made[0].killed
    assert clock[-1] < local.EMPTY_SECONDS + local._TOLD_EVERY
    note = next(news.text for news in heard if news.kind == "note")
    assert "has not done a step" in note and "0:14" in note and "save" not in note
    assert [news.outcome.fate for news in heard if news.outcome] == ["stopped"]


def test_a_run_that_saves_is_given_time_and_the_time_is_told(tmp_path: Path, clock: list[float]) -> None:
    heard = stop(tmp_path, "trained")
    notes = [news.text for news in heard if news.kind == "note"]
    assert "1 run saves after" in notes[0] and "9:59" in notes[0] and "Ctrl-C" in notes[0]
    assert len(notes) > 10 and len(set(notes)) > 10, "the rest of the time is told again and again"
    assert clock[-1] > local.STOP_SECONDS and Run.made[0].killed


def test_both_at_once_are_told_apart(tmp_path: Path, clock: list[float]) -> None:
    note = next(news.text for news in stop(tmp_path, "trained", "trained too", "loading") if news.kind == "note")
    assert "2 runs save" in note and "1 has not done a step" in note


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"stage": "load", "step": 1, "total": 1}, False),
        ({"stage": "download", "step": 9, "total": 10}, False),
        ({"stage": "train", "step": 0, "total": 10}, False),
        ({"stage": "train", "step": None, "total": 10}, False),
        ({"stage": "train", "step": 1, "total": 10}, True),
        ({"stage": "mesh", "step": 0, "total": 1}, True),
    ],
)
def test_there_is_something_to_save_from_the_first_step_on(message: dict[str, Any], expected: bool) -> None:
    assert trained(message) is expected
