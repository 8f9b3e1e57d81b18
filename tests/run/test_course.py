"""Several trainings told as one: what the bar and the time do between and after them."""

from __future__ import annotations

import pytest

from dreamfusion_engine.events import Event, Note, Progress, Stage
from dreamfusion_engine.run.course import Course


def progress(stage: Stage, step: int, total: int, eta: float | None = None) -> Progress:
    return Progress(stage=stage, step=step, total=total, eta_s=eta, rate=1.0, memory_mib=10.0)


def test_steps_are_counted_through_and_what_lies_between_holds_the_bar() -> None:
    heard: list[Event] = []
    course = Course(heard.append, (100, 20, 30))
    course(progress("load", 0, 100))
    course(progress("train", 40, 100, eta=60.0))
    course(progress("extract", 50, 100))
    course.begin(1)
    course(progress("train", 5, 20, eta=30.0))
    course(progress("bake", 10, 100))
    course.begin(2)
    course(progress("load", 0, 100))
    course(progress("train", 30, 30, eta=9.0))
    course(progress("bake", 50, 100))
    course(progress("render", 20, 100))
    shown = [(event.stage, event.step, event.total) for event in heard if isinstance(event, Progress)]
    assert shown == [
        ("load", 0, 100),
        ("train", 40, 150),
        ("train", 100, 150),
        ("train", 105, 150),
        ("train", 120, 150),
        ("train", 120, 150),
        ("train", 150, 150),
        ("bake", 50, 100),
        ("render", 20, 100),
    ]
    times = [event.eta_s for event in heard if isinstance(event, Progress)]
    assert times[0] is None and times[1] == 60.0
    assert times[2] is not None and 0.0 <= times[2] <= 60.0, "the time that is left goes on while the bar is held"


def test_a_stage_that_there_is_not_has_no_steps_and_other_events_pass() -> None:
    heard: list[Event] = []
    course = Course(heard.append, (10, 0, 5))
    note = Note(code="x", text="y")
    course(note)
    course.begin(2)
    course(progress("train", 1, 5))
    assert heard[0] is note and isinstance(heard[1], Progress) and (heard[1].step, heard[1].total) == (11, 15)


@pytest.mark.parametrize("done", [0, 3, 12])
def test_a_step_never_passes_the_end(done: int) -> None:
    heard: list[Event] = []
    course = Course(heard.append, (10,))
    course(progress("train", done, 10))
    assert isinstance(heard[0], Progress) and heard[0].step == min(done, 10)
