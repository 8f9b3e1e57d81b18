"""The queue over engines that die, hang, babble or never start: a clear failure, and the next job is made.

Of: blender_addon/core/jobs/queue.py, blender_addon/core/jobs/crash_limit.py.
"""

from __future__ import annotations

import os
import time
from array import array
from pathlib import Path

import pytest
from addon.core.driving import COMPUTING_S, HASTY, add, alive, driving, wait_for

from blender_addon.core.job import EngineTrouble, JobState, Recipe, Trouble
from blender_addon.core.jobs.queue import JobQueue, Patience
from blender_addon.core.jobs.store import JobStore


def test_an_idle_engines_death_is_nobodys_failure(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        driver.over(add(driver, "a mug", 5))
        pid = driver.queue._host.pid
        assert pid is not None
        os.kill(pid, 9)
        driver.until(lambda: driver.engines[0].ended)
        job = add(driver, "a chair", 5)
        assert driver.over(job).state is JobState.DONE and len(driver.engines) == 2


def test_a_request_that_the_engine_cannot_read_is_a_failure_at_once(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = driver.over(add(driver, "unreadable"))
        assert job.trouble is not None and job.trouble.code == "protocol.json"


def test_absurd_numbers_and_pictures_of_an_engine_are_passed_over(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = add(driver, "an absurd mug", 8)  # so few steps that the engine shows no picture of its own
        assert driver.over(job).state is JobState.DONE
        assert (job.step, job.total) == (0, 100) and job.memory_mib == 961.0
        assert "picture" not in driver.topics() and job.thumbnail is None
    log = (tmp_path / "engine.log").read_text()
    assert "too large to be shown" in log
    assert JobStore(tmp_path / "jobs").load()[0].state is JobState.DONE


def test_a_token_in_what_the_engine_says_is_written_nowhere(tmp_path: Path) -> None:
    token = "hf_" + "abcdefghijklmnopq" * 2
    with driving(tmp_path, environ={**os.environ, "HF_TOKEN": token}) as driver:
        job = driver.over(add(driver, "a leak"))
        assert job.trouble == Trouble("x", "Refused.", "The token is (hidden).", "Not (hidden).")
        assert job.notes == ["Asked with (hidden)."]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"(hidden)" in path.read_bytes() for path in written)
    assert not any(token.encode() in path.read_bytes() for path in written)


def test_a_cancel_that_is_not_obeyed_ends_the_engine_and_the_next_job_gets_a_new_one(tmp_path: Path) -> None:
    with driving(tmp_path, patience=Patience(cancel=3600.0)) as driver:
        job = add(driver, "a deaf mug", 100_000)
        later = add(driver, "a chair")
        driver.until(lambda: job.step > 3)
        driver.queue.cancel(job)
        step = job.step
        driver.until(lambda: job.step > step + 3)
        (run,) = driver.queue._runs
        assert run._asked_at is not None
        run._asked_at -= 3601.0  # an hour later
        driver.tick()
        assert job.state is JobState.CANCELLED
        assert driver.over(later).state is JobState.DONE
        assert len(driver.engines) == 2


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("die", "engine.ended"),
        ("segfault", "engine.crashed"),
        ("hang", "engine.silent"),
        ("endless", "engine.silent"),
        ("garbage", "engine.babble"),
        ("torn", "engine.ended"),
        ("mute", "engine.babble"),
        ("badglb", "result.damaged"),
    ],
)
def test_a_broken_engine_is_a_clear_failure_and_the_next_job_is_made(tmp_path: Path, word: str, code: str) -> None:
    with driving(tmp_path, patience=HASTY) as driver:
        job, later = add(driver, f"a {word} mug"), add(driver, "a chair")
        driver.over(job)
        assert job.state is JobState.FAILED and job.trouble is not None
        assert job.trouble.code == code, driver.story()
        assert job.trouble.what and job.trouble.why and job.trouble.fix and "Traceback" not in str(job.trouble)
        assert driver.over(later).state is JobState.DONE
        assert max(driver.work) <= 5 * COMPUTING_S


@pytest.mark.parametrize("word", ["babble", "noise", "damaged", "unknown", "badmesh", "late", "slow"])
def test_an_odd_engine_still_makes_the_mesh(tmp_path: Path, word: str) -> None:
    with driving(tmp_path, patience=HASTY) as driver:
        driver.over(add(driver, "a mug", 5))
        job = driver.over(add(driver, f"a {word} mug", 12))
        assert job.state is JobState.DONE, driver.story()
        meshes = [change for change in driver.changes if change.topic == "mesh" and change.job is job]
        assert len(meshes) == (0 if word == "badmesh" else 1)
        for change in meshes:
            corners = array("i", change.data[12 * change.vertices :][: 12 * change.triangles])
            assert len(corners) == 3 * change.triangles and max(corners) < change.vertices


def test_death_is_noticed_by_the_tick_that_has_read_all_that_was_said_before(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = add(driver, "a mug", 100_000)
        driver.until(lambda: job.step > 5)
        pid = driver.queue._host.pid
        assert pid is not None
        os.kill(pid, 9)
        wait_for(lambda: driver.engines[0].ended)
        for _ in range(driver.engines[0].waiting + 1):
            driver.tick()
        assert job.state is JobState.FAILED
        assert job.trouble is not None and job.trouble.code == "engine.killed"
        assert driver.queue.engine_state == "dead"


@pytest.mark.parametrize("then", ["killed", "closed"])
def test_a_result_that_has_come_is_kept_whatever_happens_next(tmp_path: Path, then: str) -> None:
    with driving(tmp_path, "--remote", local=False) as driver:
        job = add(driver, "a mug", 10)
        driver.until(lambda: job.step > 3)
        driver.queue.store.in_background(lambda: time.sleep(0.3))  # a slow disk
        driver.until(lambda: any(run.saving for run in driver.queue._runs))
        assert job.state is JobState.RUNNING
        if then == "closed":
            driver.queue.close()
        else:
            os.kill(driver.queue._host.pid or 0, 9)
            driver.over(job)
            assert driver.queue.engine_state == "dead"
        assert job.state is JobState.DONE and job.result is not None and job.result.is_file()


def test_an_engine_that_does_not_start_fails_one_job_and_holds_the_others(tmp_path: Path) -> None:
    with driving(tmp_path, "--die", "1", "--last-words", "No module named 'torch'") as driver:
        first, second = add(driver, "a mug"), add(driver, "a chair")
        driver.over(first)
        assert first.trouble is not None and first.trouble.code == "engine.missing_package"
        for _ in range(20):
            driver.tick()
        assert second.state is JobState.QUEUED and driver.queue.held and not driver.queue.busy
        assert driver.queue.engine_state == "dead" and driver.queue.engine_trouble == first.trouble
        driver.options = ()
        driver.queue.retry(first)
        assert driver.over(second).state is JobState.DONE and first.state is JobState.DONE


def test_a_launch_that_is_refused_fails_the_job_with_its_reason(tmp_path: Path) -> None:
    trouble = Trouble("engine.not_installed", "There is no engine.", "None.", "Install it.")

    def refuse() -> None:
        raise EngineTrouble(trouble)

    queue = JobQueue(JobStore(tmp_path / "jobs"), refuse)  # type: ignore[arg-type]
    job = queue.add(Recipe("a mug"))
    assert "state" in [change.topic for change in queue.tick()]
    assert (job.state, job.trouble, queue.engine_state) == (JobState.FAILED, trouble, "dead")
    queue.close()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--silent-start"], "engine.start_silent"),
        (["--protocol", "9"], "engine.version"),
        (["--banner", "5000"], "engine.babble"),
    ],
)
def test_an_engine_that_never_greets_is_given_up(tmp_path: Path, options: list[str], code: str) -> None:
    patience = Patience(start=1.5) if "--silent-start" in options else HASTY
    with driving(tmp_path, *options, patience=patience) as driver:
        job = driver.over(add(driver, "a mug"))
        assert job.trouble is not None and job.trouble.code == code, driver.story()
        driver.until(lambda: not alive(driver.engines[0].pid or 0))


def test_an_engine_that_complains_instead_of_greeting_is_quoted(tmp_path: Path) -> None:
    with driving(tmp_path, "--complain") as driver:
        job = driver.over(add(driver, "a mug"))
        assert job.trouble == Trouble("setup.package", "A package is missing.", "No torch.", "Install.")


def test_three_deaths_in_a_row_hold_the_queue(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        jobs = [add(driver, f"die {number}") for number in range(4)]
        driver.over(jobs[2])
        for _ in range(20):
            driver.tick()
        assert [str(job.state) for job in jobs] == ["failed", "failed", "failed", "queued"] and driver.queue.held
