"""One bar for the whole contest: it never goes back, and ends full."""

from __future__ import annotations

from dreamfusion_engine.contest.course import Course
from dreamfusion_engine.events import Event, Note, Progress, Stage


def progress(stage: Stage, step: int, total: int = 100) -> Progress:
    return Progress(stage=stage, step=step, total=total, eta_s=5.0, rate=10.0, memory_mib=1.0)


def test_drafts_and_the_winner_fill_one_bar() -> None:
    told: list[Event] = []
    course = Course(200, told.append)
    course.begin(0)
    course.of_draft(0)(progress("load", 0))
    course.of_draft(0)(progress("train", 20))
    course.begin(20)
    course.of_draft(0)(progress("train", 20))
    course.begin(40)
    course.of_draft(20)(progress("train", 60))
    course.begin(160)
    winner = course.of_winner(60)
    winner(progress("load", 50))
    winner(progress("train", 100))
    winner(progress("bake", 30))
    seen = [event for event in told if isinstance(event, Progress)]
    steps = [event.step for event in seen if event.stage == "train"]
    assert steps == [0, 20, 40, 80, 160, 200] and seen[-1].stage == "bake" and seen[-1].step == 30
    assert seen[1].eta_s == 18.0, "the steps that are left, at the speed of now"
    assert all(event.total == 200 for event in seen if event.stage == "train")


def test_a_note_is_told_once_and_the_time_of_a_single_run_not_at_all() -> None:
    told: list[Event] = []
    course = Course(200, told.append)
    for heard in (course.of_draft(0), course.of_winner(0)):
        heard(Note(code="memory.fit", text="Less memory is used."))
        heard(Note(code="run.estimate", text="About 10 minutes."))
    assert [event.code for event in told if isinstance(event, Note)] == ["memory.fit"]
