"""The stages of a run as they pass: each is told when it begins and how far it is, and times add up by stage."""

from __future__ import annotations

import pytest
import torch

from dreamfusion_engine.events import Event, Progress
from dreamfusion_engine.run import stage_clock
from dreamfusion_engine.run.stage_clock import StageClock

CPU = torch.device("cpu")


class Time:
    """A clock that stands until it is moved."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    moved = Time()
    monkeypatch.setattr(stage_clock, "time", moved)
    return moved


def test_stages_are_told_in_percent_but_for_the_training_which_tells_its_own_steps() -> None:
    told: list[Event] = []
    clock = StageClock(told.append)
    clock.enter("load", CPU)
    clock.enter("train", CPU)
    clock.share("train", 0.5, CPU)
    clock.share("bake", 0.256, CPU)
    clock.share("bake", 1.0, CPU)
    assert all(isinstance(event, Progress) for event in told)
    assert [(e.stage, e.step, e.total) for e in told if isinstance(e, Progress)] == [
        ("load", 0, 100),
        ("bake", 26, 100),
        ("bake", 100, 100),
    ]
    assert all(e.eta_s is None and e.rate is None and e.memory_mib > 0 for e in told if isinstance(e, Progress))


def test_seconds_add_up_by_stage_also_when_a_stage_comes_again(time: Time) -> None:
    clock = StageClock(lambda event: None)
    time.now += 5.0  # before the first stage: nobody's
    for stage, seconds in (("unwrap", 1.0), ("load", 2.0), ("unwrap", 0.5)):
        clock.enter(stage, CPU)  # type: ignore[arg-type]
        time.now += seconds
    assert clock.finished() == {"unwrap": 1.5, "load": 2.0}
    time.now += 1.0
    assert clock.finished() == {"unwrap": 2.5, "load": 2.0}, "the last one runs on"


def test_a_clock_that_never_began_has_no_stages() -> None:
    assert StageClock(lambda event: None).finished() == {}
