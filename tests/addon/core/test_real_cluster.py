"""The add-on's queue, the real engine with a cluster that is played, and real engines on its machines: to a mesh.

Of: blender_addon/core/jobs/queue.py, dreamfusion_engine/batch/serve_cluster.py.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from addon.core.driving import driving
from addon.core.test_real_engine import ROOT, TINY
from reference.cluster_client import ENGINE, Door

from blender_addon.core.job import JobState, Recipe


@pytest.mark.slow
def test_a_real_run_on_a_cluster_is_cancelled_and_resumed_and_its_mesh_is_here(tmp_path: Path) -> None:
    door = Door()
    command = [sys.executable, str(ENGINE), "serve", "--on", door.address]
    (tmp_path / "machines").mkdir()
    environ = {"FAKE_CLUSTER": str(tmp_path / "machines"), "CLUSTER_MAKES": "real", "PYTHONPATH": str(ROOT)}
    environ |= {"DREAMFUSION_CACHE": str(tmp_path / "cache")}
    with driving(tmp_path, command=command, environ={**os.environ, **environ}) as driver:
        job = driver.queue.add(Recipe("a hamburger", seed=1, preset="draft", settings={**TINY, "judge": "off"}))
        driver.until(lambda: job.state.over or (job.stage == "train" and job.step >= 8))
        assert job.state is JobState.RUNNING, driver.story()
        driver.queue.cancel(job)
        driver.over(job)
        assert job.state is JobState.CANCELLED, driver.story()
        checkpoint = job.folder / "checkpoint" / "checkpoint.json"
        assert checkpoint.is_file(), "it came back"
        driver.queue.resume(job)
        steps: list[int] = []
        driver.until(lambda: steps.append(job.step if job.stage == "train" else 99) or job.state.over)
        assert job.state is JobState.DONE, driver.story()
        assert min(steps) >= 5 and job.result is not None and job.result.read_bytes().startswith(b"glTF")
        report = json.loads((job.folder / "result.json").read_text(encoding="utf-8"))
        assert report["steps"] == TINY["optimize"]["steps"]  # type: ignore[index]
        assert any("It runs on" in note for note in job.notes) and (job.folder / "turntable.mp4").is_file()
    door.close()
