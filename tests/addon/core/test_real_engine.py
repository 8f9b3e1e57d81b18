"""The real engine behind the queue, once: cancelled, killed, resumed from its checkpoints, and ended in a mesh.

Of: blender_addon/core/jobs/queue.py, dreamfusion_engine/server/server.py.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from addon.core.driving import COMPUTING_S, alive, driving, wait_for

from blender_addon.core.job import JobState, Recipe
from blender_addon.core.jobs.estimates import Estimates

ROOT = Path(__file__).resolve().parents[3]
TINY = {
    "device": "cpu",
    "checkpoint_every": 5,
    "optimize": {"steps": 30, "views": 1, "resolution": [16, 16]},
    "mesh": {"resolution": 64, "triangles": 2000, "texture": 256},
}


@pytest.mark.slow
def test_the_real_engine_is_cancelled_killed_resumed_and_makes_a_mesh(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dreamfusion_engine", "serve"]
    with driving(tmp_path, command=command, environ={**os.environ, "PYTHONPATH": str(ROOT)}) as driver:
        queue = driver.queue
        job = queue.add(Recipe("a hamburger", seed=1, preset="draft", settings=TINY))
        driver.until(lambda: job.state.over or (job.stage == "train" and job.step >= 8))
        assert job.state is JobState.RUNNING, driver.story()
        queue.cancel(job)
        driver.over(job)
        assert job.state is JobState.CANCELLED and (job.folder / "checkpoint" / "checkpoint.json").is_file()

        queue.resume(job)
        driver.until(lambda: job.state.over or (job.stage == "train" and job.step >= 15))
        assert job.state is JobState.RUNNING, driver.story()
        pid = queue._host.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        driver.over(job)
        assert job.trouble is not None and job.trouble.code == "engine.killed" and job.can_resume

        queue.resume(job)
        steps: list[int] = []
        driver.until(lambda: steps.append(job.step if job.stage == "train" else 99) or job.state.over)
        assert job.state is JobState.DONE, driver.story()
        assert min(steps) >= 10  # at most one checkpoint's worth of steps was lost
        assert job.result is not None and job.result.read_bytes().startswith(b"glTF") and job.thumbnail is not None
        # No coarse mesh: after so few steps the field has no surface yet.
        assert {"progress", "picture", "result", "state", "engine"} <= set(driver.topics())
        assert "torch" in job.recipe.versions
        assert queue.models is not None and "hamburger" in queue.models[0]["kinds"]
        estimates = Estimates(tmp_path / "estimates.json")
        assert estimates.learn(job, queue.devices) is not None and estimates.of(job.recipe, queue.devices).measured
        pid = queue._host.pid
    assert pid is not None
    wait_for(lambda: not alive(pid))  # it was killed by now; a busy system takes a moment to clear it away
    work = sorted(driver.work)
    assert work[int(0.99 * len(work))] <= COMPUTING_S
