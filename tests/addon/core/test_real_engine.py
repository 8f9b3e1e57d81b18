"""The real engine behind the queue, once: its real start, its real messages, a real mesh, its real end."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from addon.core.driving import alive

from blender_addon.core.estimates import Estimates
from blender_addon.core.job import JobState, Recipe
from blender_addon.core.journal import JobStore
from blender_addon.core.location import EngineLocation
from blender_addon.core.queue import JobQueue

ROOT = Path(__file__).resolve().parents[3]
TINY = {
    "device": "cpu",
    "optimize": {"steps": 60, "checkpoint_every": 10},
    "mesh": {"resolution": 64, "triangles": 2000, "texture": 256},
}


@pytest.mark.slow
def test_the_real_engine_is_cancelled_resumed_and_makes_a_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    location = EngineLocation("command", command=f'"{sys.executable}" -m dreamfusion_engine')
    queue = JobQueue(JobStore(tmp_path / "jobs"), lambda: _local(location, tmp_path / "engine.log"))
    job = queue.add(Recipe("a hamburger", seed=1, preset="draft", settings=TINY))
    ticks = []

    def until(condition: object, seconds: float = 240.0) -> list[str]:
        import time

        kinds, end = [], time.monotonic() + seconds
        while not condition():  # type: ignore[operator]
            began = time.perf_counter()
            kinds += [change.kind for change in queue.tick()]
            ticks.append(time.perf_counter() - began)
            log = tmp_path / "engine.log"
            assert time.monotonic() < end, (job, log.read_text() if log.is_file() else "")
            time.sleep(0.05)
        return kinds

    until(lambda: job.state.over or (job.stage == "train" and job.step >= 20))
    assert job.state is JobState.RUNNING, job
    queue.cancel(job)
    until(lambda: job.state.over, 60.0)
    assert job.state is JobState.CANCELLED and (job.folder / "checkpoint" / "checkpoint.json").is_file()
    queue.resume(job)
    kinds = until(lambda: job.state.over)
    assert job.state is JobState.DONE, job
    assert job.result is not None and job.result.read_bytes().startswith(b"glTF")
    assert {"progress", "result", "state"} <= set(kinds)
    assert "torch" in job.recipe.versions
    assert queue.models is not None and "hamburger" in queue.models[0]["kinds"]
    estimates = Estimates(tmp_path / "estimates.json")
    assert estimates.learn(job, queue.devices) is not None and estimates.of(job.recipe, queue.devices).measured
    pid = queue.engine_pid
    queue.close()
    assert pid is not None and not alive(pid)
    print(f"\n{len(ticks)} ticks, longest {max(ticks) * 1e3:.1f} ms")
    assert sorted(ticks)[int(0.99 * len(ticks))] <= 0.010


def _local(location: EngineLocation, log: Path) -> object:
    from blender_addon.core.connection import EngineProcess

    return EngineProcess(location.words(), log=log, environ={**os.environ, "PYTHONPATH": str(ROOT)}, folder=ROOT)
