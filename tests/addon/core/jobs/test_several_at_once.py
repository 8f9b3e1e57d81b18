"""A queue whose engine has a cluster: several jobs at once, each steered by itself.

Of: blender_addon/core/jobs/queue.py, blender_addon/core/jobs/crash_limit.py.
"""

from __future__ import annotations

from pathlib import Path

from addon.core.driving import HASTY, add, driving

from blender_addon.core.job import JobState

RUNNING = JobState.RUNNING


def test_as_many_jobs_run_at_once_as_the_engine_has_places(tmp_path: Path) -> None:
    with driving(tmp_path, "--places", "2") as driver:
        jobs = [add(driver, f"a mug {number}", 40) for number in range(3)]
        running: list[int] = []
        driver.until(
            lambda: running.append(sum(job.state is RUNNING for job in jobs)) or all(j.state.over for j in jobs)
        )
        assert [job.state for job in jobs] == [JobState.DONE] * 3 and max(running) == 2
        assert len(driver.engines) == 1 and driver.queue.current is None
        assert all(job.result is not None and job.result.is_file() for job in jobs)


def test_a_wish_reaches_the_job_that_it_is_about(tmp_path: Path) -> None:
    with driving(tmp_path, "--places", "2") as driver:
        first, second = (add(driver, f"a mug {number}", 100_000) for number in range(2))
        driver.until(lambda: min(first.step, second.step) > 20)
        assert driver.queue.current is first
        driver.queue.pause(second)
        driver.until(lambda: second.state is JobState.PAUSED)
        assert first.state is RUNNING
        driver.queue.cancel(second)
        driver.over(second)
        assert (first.state, second.state) == (RUNNING, JobState.CANCELLED) and second.can_resume
        driver.queue.finish(first)
        assert driver.over(first).state is JobState.DONE
        driver.queue.resume(second)
        driver.until(lambda: second.state is RUNNING and second.step > 20)
        driver.queue.finish(second)
        assert driver.over(second).state is JobState.DONE


def test_a_job_that_does_not_stop_is_given_up_and_the_other_goes_on(tmp_path: Path) -> None:
    with driving(tmp_path, "--places", "2", patience=HASTY) as driver:
        deaf, other = add(driver, "a deaf mug", 100_000), add(driver, "a mug", 100_000)
        driver.until(lambda: min(deaf.step, other.step) > 5)
        driver.queue.cancel(deaf)
        driver.over(deaf)
        step = other.step
        driver.until(lambda: other.step > step)
        assert (deaf.state, other.state) == (JobState.CANCELLED, RUNNING) and len(driver.engines) == 1


def test_an_engine_that_dies_takes_all_of_its_jobs_and_each_can_be_resumed(tmp_path: Path) -> None:
    with driving(tmp_path, "--places", "2") as driver:
        jobs = [add(driver, f"a mug {number}", 100_000) for number in range(2)]
        driver.until(lambda: min(job.step for job in jobs) > 20)
        driver.engines[0].kill()
        driver.until(lambda: all(job.state.over for job in jobs))
        assert [job.state for job in jobs] == [JobState.FAILED] * 2 and all(job.can_resume for job in jobs)
        assert not driver.queue.held


def test_a_queue_that_is_closed_interrupts_every_job(tmp_path: Path) -> None:
    with driving(tmp_path, "--places", "2") as driver:
        jobs = [add(driver, f"a mug {number}", 100_000) for number in range(2)]
        driver.until(lambda: min(job.step for job in jobs) > 20)
        driver.queue.close()
        assert [job.state for job in jobs] == [JobState.INTERRUPTED] * 2
