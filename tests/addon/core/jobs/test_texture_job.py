"""Jobs that paint meshes which are there: what is sent, kept, resumed, tried again and read back.

Of: blender_addon/core/jobs/run.py, blender_addon/core/jobs/store.py, blender_addon/core/engine/process.py.
"""

from __future__ import annotations

import json
from pathlib import Path

from addon.core.driving import Driver, driving
from fakes.painted_glb import part_count
from fakes.shapes import ball_glb

from blender_addon.core.job import GENERATE, TEXTURE, Job, JobState, Recipe
from blender_addon.core.jobs.estimates import Estimates
from blender_addon.core.jobs.folder import BIRTH, SOURCE
from blender_addon.core.jobs.store import JobStore

MESHES = ball_glb("an artist's cube", 0)


def add(driver: Driver, steps: int = 30, source: bytes | Path = MESHES) -> Job:
    recipe = Recipe("rusty iron", settings={"optimize": {"steps": steps}, "paint": {"uv": "keep"}})
    return driver.queue.add(recipe, {"texture": {"parts": []}}, source, TEXTURE)


def test_a_texture_job_is_given_its_meshes_and_ends_in_painted_ones(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = driver.over(add(driver))
        assert (job.state, job.task, job.paints) == (JobState.DONE, TEXTURE, True), driver.story()
        assert (job.folder / SOURCE).read_bytes() == MESHES
        result = (job.folder / "mesh.glb").read_bytes()
        assert part_count(result) == 1 and result != MESHES
        shown = [change for change in driver.changes if change.topic == "texture"]
        assert shown and all(change.name == "0" and change.data.startswith(b"\x89PNG") for change in shown)
        assert "mesh" not in driver.topics(job)


def test_it_is_cancelled_resumed_and_made_again(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = add(driver, 60)
        driver.until(lambda: job.step > 20)
        driver.queue.cancel(job)
        assert driver.over(job).state is JobState.CANCELLED
        driver.queue.resume(job)
        driver.until(lambda: job.state is JobState.RUNNING and job.step > 0)
        assert job.step > 20
        assert driver.over(job).state is JobState.DONE, driver.story()
        driver.queue.retry(job)
        driver.until(lambda: job.step > 0)
        driver.queue.finish(job)
        assert driver.over(job).state is JobState.DONE, driver.story()


def test_meshes_without_a_checkpoint_are_sent_again_to_an_engine_elsewhere(tmp_path: Path) -> None:
    with driving(tmp_path, "--remote", local=False) as driver:
        job = add(driver, 60)
        driver.until(lambda: job.step > 3)
        driver.queue.cancel(job)
        driver.over(job)
        driver.queue.resume(job)
        assert driver.over(job).state is JobState.DONE, driver.story()
        assert any("from the beginning" in note for note in job.notes)


def test_another_seed_takes_the_meshes_of_the_first_job(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        first = driver.over(add(driver))
        second = driver.over(add(driver, source=first.folder / SOURCE))
        assert second.state is JobState.DONE and (second.folder / SOURCE).read_bytes() == MESHES


def test_meshes_that_are_gone_fail_the_job_with_a_way_out(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = driver.over(add(driver))
        (job.folder / SOURCE).unlink()
        driver.queue.retry(job)
        driver.over(job)
        assert job.trouble is not None and job.trouble.code == "job.source_missing"
        other = driver.over(add(driver))  # the engine goes on
        assert other.state is JobState.DONE


def test_a_job_that_is_cancelled_while_its_meshes_are_read_never_reaches_the_engine(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        driver.over(add(driver))
        job = add(driver)
        driver.until(lambda: job.state is JobState.RUNNING)
        (run,) = driver.queue._runs
        if run._reading is not None:
            driver.queue.cancel(job)
            assert job.state is JobState.CANCELLED
        driver.queue.cancel(job)
        driver.over(job)
        assert driver.over(add(driver)).state is JobState.DONE


def test_twenty_megabytes_of_meshes_arrive_whole(tmp_path: Path) -> None:
    large = ball_glb("a large cube", 0, padding=20 << 20)
    with driving(tmp_path) as driver:
        job = driver.over(add(driver, source=large))
        assert job.state is JobState.DONE, driver.story()
        assert (job.folder / SOURCE).read_bytes() == large


def test_after_a_restart_the_job_is_what_it_was_and_older_addons_leave_it_alone(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    painting = store.create(Recipe("rust"), {"texture": {"parts": [{"object": "Cube"}]}}, MESHES, TEXTURE)
    making = store.create(Recipe("a mug"), {})
    store.close(10.0)
    back = {job.id: job for job in JobStore(tmp_path).load()}
    assert back[painting.id].task == TEXTURE and back[painting.id].state is JobState.INTERRUPTED
    assert back[painting.id].placement == painting.placement and back[painting.id].can_resume
    assert back[making.id].task == GENERATE
    written = [json.loads((job.folder / BIRTH).read_text())["format"] for job in (painting, making)]
    assert written == [2, 1]


def test_painting_takes_two_fifths_of_the_steps_unless_they_are_the_artists(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "estimates.json")
    whole = estimates.of(Recipe("a"), None).seconds
    paint = estimates.of(Recipe("a", settings={"paint": {}}), None).seconds
    own = estimates.of(Recipe("a", settings={"paint": {}, "optimize": {"steps": 1200}}), None).seconds
    rest = 18.0  # nominal seconds around the training
    assert abs((paint - rest) - 0.4 * (whole - rest)) < 1e-6
    assert own == whole
