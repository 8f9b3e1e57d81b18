"""The bar: after Blender's death no engine is left, and the list comes back with a job that goes on where it was.

Of: blender_addon/core/engine/host.py, blender_addon/core/jobs/store.py.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from addon.core.driving import SCRIPTED_ENGINE, alive, driving, wait_for

from blender_addon.core.job import JobState

ROOT = SCRIPTED_ENGINE.parents[2]
BLENDER = """
    import os, sys, time
    from pathlib import Path
    sys.path[:0] = [{root!r}, {tests!r}]
    from addon.core.driving import Driver
    from blender_addon.core.job import Recipe
    driver = Driver(Path({folder!r}))
    job = driver.queue.add(Recipe("a mug", settings={{"optimize": {{"steps": 300}}}}), {{"where": 5}})
    waiting = driver.queue.add(Recipe("a chair"))
    driver.until(lambda: job.step > 40)
    print(driver.queue._host.pid, flush=True)
    while True:
        driver.tick()
        time.sleep(0.02)
"""


@pytest.mark.parametrize("moment", [0.0, 0.07, 0.3])
def test_after_blenders_death_the_jobs_come_back_and_go_on(tmp_path: Path, moment: float) -> None:
    code = textwrap.dedent(BLENDER).format(root=str(ROOT), tests=str(ROOT / "tests"), folder=str(tmp_path))
    blender = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert blender.stdout is not None
    engine = int(blender.stdout.readline())
    with pytest.raises(subprocess.TimeoutExpired):
        blender.wait(moment)
    blender.kill()
    blender.wait()
    wait_for(lambda: not alive(engine))
    with driving(tmp_path) as driver:
        job, waiting = driver.queue.jobs
        assert (job.state, waiting.state) == (JobState.INTERRUPTED, JobState.INTERRUPTED)
        assert job.placement == {"where": 5} and driver.queue.store.unreadable == []
        assert job.trouble is not None and waiting.trouble is not None and "not begun" in waiting.trouble.why
        driver.queue.resume(job)
        driver.queue.resume(waiting)
        driver.until(lambda: job.stage == "train" and job.step > 0)
        assert job.step > 40
        driver.over(waiting)
        assert (job.state, waiting.state) == (JobState.DONE, JobState.DONE)
