"""A tick never waits, reaches for the disk only to claim a job, and does little: counted, and in processor time.

How long it takes on the clock is a figure of benchmarks/speed/addon_ticks.py: other programs may hold up any tick.

Of: blender_addon/core/jobs/queue.py, blender_addon/core/engine/inbox.py.
"""

from __future__ import annotations

import statistics
from collections import Counter
from pathlib import Path

import pytest
from addon.core.driving import COMPUTING_S, Driver, driving, wait_for

from blender_addon.core.job import JobState, Recipe

CLAIM = {"io.open", "posix.unlink", "nt.unlink"}  # a job's lock, before it is given to the engine
A_JOB = 5  # lines of Python that a tick may run for each job of the history
A_TICK = 2_000  # and beside that, with a greeting, pictures and a result in it; usual is 120


def percentile_99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def waits(driver: Driver) -> list[str]:
    """What all counted ticks waited for."""
    return [name for effort in driver.efforts for name in effort.waits]


def files(driver: Driver) -> set[str]:
    """What all counted ticks did with files."""
    return {name for effort in driver.efforts for name in effort.files}


def test_ticks_compute_little_under_a_flood_of_pictures_and_meshes(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = driver.queue.add(Recipe("a flood of mugs", settings={"optimize": {"steps": 100_000}}))
        driver.until(lambda: job.step > 0)
        driver.work.clear()
        driver.changes.clear()
        driver.until(lambda: len(driver.work) > 100 and driver.topics(job).count("picture") > 20)
        most = max(Counter((change.topic, change.name) for change in driver.tick()).values(), default=0)
        assert most <= 1, "of each kind of picture only the newest"
        driver.counting = True
        driver.until(lambda: len(driver.efforts) > 50)
        driver.counting = False
        driver.queue.cancel(job)
        driver.over(job)
    assert percentile_99(driver.work) <= COMPUTING_S
    assert not waits(driver) and not files(driver)


def test_ticks_compute_little_while_a_result_of_30_mib_comes(tmp_path: Path) -> None:
    with driving(tmp_path, "--remote", local=False) as driver:
        job = driver.over(driver.queue.add(Recipe("a huge mug")))
        assert job.state is JobState.DONE and job.result is not None and job.result.stat().st_size > 30 << 20
        again = driver.queue.add(Recipe("a huge mug"))
        driver.counting = True
        driver.over(again)
        assert again.state is JobState.DONE
    assert max(driver.work) <= COMPUTING_S
    assert not waits(driver)
    assert files(driver) <= CLAIM, "the mesh is written by another thread"


@pytest.mark.slow
def test_ticks_do_little_for_each_job_of_a_long_history(tmp_path: Path) -> None:
    lines = {}
    for count in (3, 300):
        with driving(tmp_path / str(count)) as driver:
            jobs = [driver.queue.add(Recipe(f"a mug {n}", settings={"optimize": {"steps": 3}})) for n in range(count)]
            for job in jobs[3:]:
                driver.queue.cancel(job)
            driver.tick()
            driver.counting = True
            driver.over(jobs[2])
            assert jobs[2].state is JobState.DONE
            assert not waits(driver) and files(driver) <= CLAIM
            lines[count] = [effort.lines for effort in driver.efforts]
    assert max(lines[3]) <= A_TICK
    assert max(lines[300]) <= A_TICK + A_JOB * 300
    assert statistics.median(lines[300]) <= statistics.median(lines[3]) + A_JOB * 300


def test_the_newest_state_is_shown_after_the_main_thread_was_blocked(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = driver.queue.add(Recipe("a mug", settings={"optimize": {"steps": 100_000}}))
        driver.until(lambda: job.step > 0)
        before = job.step
        driver.changes.clear()
        # A render, a file being opened: nobody ticks, while newer words take the places of older ones.
        inbox = driver.engines[0]._inbox
        enough = inbox.dropped + 60
        wait_for(lambda: inbox.dropped >= enough)
        changes = driver.tick()
        assert job.step > before + 20
        assert len(changes) <= 5  # not one for every step that was missed
        driver.queue.cancel(job)
        driver.over(job)
