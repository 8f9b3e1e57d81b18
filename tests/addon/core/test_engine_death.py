"""The bar: an engine killed at 50 random moments is 50 times a clear failure at once, and the next job is made.

Of: blender_addon/core/jobs/queue.py, blender_addon/core/jobs/crash_limit.py.
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest
from addon.core.driving import alive, driving, wait_for

from blender_addon.core.job import JobState, Recipe

KILLS = 50


@pytest.mark.slow
def test_fifty_kills_at_random_moments_are_fifty_clear_failures_and_the_next_job_is_made(tmp_path: Path) -> None:
    moments = random.Random(4)
    states = []
    with driving(tmp_path) as driver:
        for number in range(KILLS):
            job = driver.queue.add(Recipe("a mug", settings={"optimize": {"steps": 100_000}}))
            # From the first moment of the process's life, over its start and its greeting, to the middle of its work.
            driver.until(lambda: driver.queue._host.pid is not None)
            wait = 0.0 if number % 5 == 0 else moments.choice((0.0, 0.1, 0.3)) + 0.3 * moments.random()
            driver.pass_time(wait)
            pid = driver.queue._host.pid
            assert pid is not None
            states.append(driver.queue.engine_state if job.state is JobState.QUEUED else str(job.state))
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: driver.engines[-1].ended)
            for _ in range(driver.engines[-1].waiting + 1):  # the first ticks may still read what it said before
                driver.tick()
            assert job.state is JobState.FAILED and job.trouble is not None, driver.story()
            assert job.trouble.code == "engine.killed", (number, job.trouble)
            assert driver.queue.engine_state == "dead" and driver.queue.engine_trouble == job.trouble
            following = driver.over(driver.queue.add(Recipe("a chair", settings={"optimize": {"steps": 2}})))
            assert following.state is JobState.DONE, driver.story()
            assert following.result is not None and following.result.is_file()
            if moments.random() < 0.7:  # the next one starts an engine of its own
                driver.queue.stop_engine()
        pids = [engine.pid for engine in driver.engines]
    print(f"\n{KILLS} kills, { {s: states.count(s) for s in states} }")
    assert len(set(states)) >= 2  # the moments were different ones
    wait_for(lambda: not any(alive(pid) for pid in pids if pid is not None))
