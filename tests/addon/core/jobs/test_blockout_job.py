"""Jobs that begin from a mesh: what is sent, kept, resumed and read back.

Of: blender_addon/core/job.py, blender_addon/core/jobs/run.py, blender_addon/core/jobs/folder.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from addon.core.driving import Driver, driving
from fakes.painted_glb import box_of
from fakes.shapes import ball_glb

from blender_addon.core.job import GENERATE, Job, JobState, Recipe
from blender_addon.core.jobs.folder import BIRTH, SOURCE
from blender_addon.core.jobs.store import JobStore

BOX = ((-1.0, -2.0, 0.0), (1.0, 2.0, 5.0))
BLOCKOUT = ball_glb("a blockout", 0, box=BOX)
LED = {"start": {"lock": 0.7, "front_deg": 0.0}}


def add(driver: Driver, steps: int = 30, source: bytes | Path = BLOCKOUT) -> Job:
    return driver.queue.add(Recipe("a house", settings={"optimize": {"steps": steps}, **LED}), {}, source)


def box(job: Job) -> list[float]:
    return [round(value, 4) for corner in box_of((job.folder / "mesh.glb").read_bytes()) for value in corner]


def test_a_job_is_given_its_blockout_and_makes_an_object_of_it(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = driver.over(add(driver))
        assert (job.state, job.task, job.paints, job.has_source) == (JobState.DONE, GENERATE, False, True)
        assert (job.folder / SOURCE).read_bytes() == BLOCKOUT
        assert box(job) == pytest.approx([*BOX[0], *BOX[1]])
        assert "mesh" in driver.topics(job)


def test_it_is_resumed_without_the_mesh_and_retried_with_it(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = add(driver, 60)
        driver.until(lambda: job.step > 20)
        driver.queue.cancel(job)
        assert driver.over(job).state is JobState.CANCELLED
        driver.queue.resume(job)
        assert driver.over(job).state is JobState.DONE, driver.story()
        driver.queue.retry(job)
        assert driver.over(job).state is JobState.DONE, driver.story()
        assert box(job) == pytest.approx([*BOX[0], *BOX[1]])


def test_a_missing_blockout_is_told_and_the_next_job_runs(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = driver.over(add(driver))
        (job.folder / SOURCE).unlink()
        driver.queue.retry(job)
        driver.over(job)
        assert job.state is JobState.FAILED and job.trouble is not None
        assert job.trouble.code == "job.source_missing" and "Placement" in job.trouble.fix
        assert driver.over(driver.queue.add(Recipe("a mug"))).state is JobState.DONE


def test_after_a_restart_it_begins_from_its_mesh_still_and_older_addons_leave_it_alone(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    job = store.create(Recipe("a house", settings=LED), {"where": "BLOCKOUT"}, BLOCKOUT)
    store.close(10.0)
    (back,) = JobStore(tmp_path).load()
    assert back.has_source and back.task == GENERATE and back.placement == job.placement
    assert json.loads((job.folder / BIRTH).read_text())["format"] == 2
