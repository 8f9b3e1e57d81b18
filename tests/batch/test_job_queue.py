"""What becomes of a job whose process ended."""

from __future__ import annotations

import time

import pytest

from dreamfusion_engine.batch.job_queue import BUSY, DISK_FULL, TRIES, JobQueue
from dreamfusion_engine.batch.news import Outcome

A, B = {"name": "a", "prompt": "a mug", "seed": 0}, {"name": "b", "prompt": "a car", "seed": 0}
DIED = Outcome(fate="died", trouble={"code": "batch.died", "why": "signal 9"}, seconds=2.0)


def of_code(code: str) -> Outcome:
    return Outcome(fate="failed", trouble={"code": code})


def test_jobs_come_in_their_order_and_a_dead_one_is_tried_again_first() -> None:
    jobs = JobQueue([A, B])
    assert jobs.next() is A
    assert jobs.ended(A, DIED) is None
    assert jobs.next() is A and jobs.next() is B and jobs.next() is None


def test_a_job_that_dies_again_and_again_at_one_place_fails_with_its_trouble() -> None:
    jobs = JobQueue([A])
    ends = []
    for _ in range(TRIES):
        jobs.next()
        jobs.progressed("a", 0.3)
        ends.append(jobs.ended(A, DIED))
    assert len(ends) == TRIES and ends[:-1] == [None] * (TRIES - 1)
    last = ends[-1]
    assert last is not None and last.fate == "failed" and last.trouble == DIED.trouble and last.seconds == 2.0 * TRIES
    assert jobs.next() is None


def test_one_that_comes_further_each_time_is_never_given_up() -> None:
    jobs = JobQueue([A])
    for life in range(4 * TRIES):
        jobs.next()
        jobs.progressed("a", (life + 1) / 100)
        assert jobs.ended(A, DIED) is None


def test_a_run_that_failed_itself_is_not_tried_again() -> None:
    jobs = JobQueue([A])
    jobs.next()
    assert jobs.ended(A, of_code("run.empty")) == of_code("run.empty") and jobs.next() is None


def test_a_held_folder_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    jobs = JobQueue([A])
    jobs.next()
    assert jobs.ended(A, of_code(BUSY)) is None and jobs.next() is None and len(jobs) == 1
    now[0] = 60.0
    assert jobs.next() is A


def test_a_full_disk_sends_a_job_elsewhere_while_there_is_another_place() -> None:
    jobs = JobQueue([A])
    jobs.next()
    assert jobs.ended(A, of_code(DISK_FULL), elsewhere="node 1") is None and jobs.avoided("a") == {"node 1"}
    jobs.next()
    assert jobs.ended(A, of_code(DISK_FULL)) == of_code(DISK_FULL)


def test_jobs_come_and_are_taken_away_while_others_wait() -> None:
    waiting = JobQueue([])
    for name in ("a", "b", "c"):
        waiting.add({"name": name})
    assert waiting.drop("b") and not waiting.drop("b") and len(waiting) == 2
    first = waiting.next()
    assert first == {"name": "a"} and waiting.ended(first, Outcome(fate="done")) == Outcome(fate="done")
    waiting.add({"name": "a"})  # by the same name once more: nothing of the first counts
    assert [waiting.next(), waiting.next(), waiting.next()] == [{"name": "c"}, {"name": "a"}, None]
