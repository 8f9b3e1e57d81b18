"""Jobs with pictures: what is sent, kept, resumed, read back and refused.

Of: blender_addon/core/job.py, blender_addon/core/jobs/run.py, blender_addon/core/jobs/folder.py.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from addon.core.driving import SCRIPTED_ENGINE, Driver, driving
from fakes.shapes import ball_glb, png

from blender_addon.core.given_pictures import GivenPicture, joined
from blender_addon.core.job import REFINE, Job, JobState, Recipe
from blender_addon.core.jobs.folder import BIRTH, PICTURES, REPORT
from blender_addon.core.jobs.store import JobStore

COUNTING = [sys.executable, str(SCRIPTED_ENGINE.with_name("fake_engine.py")), "serve"]
ROOT = SCRIPTED_ENGINE.parents[2]
TWO = [GivenPicture(b"the front"), GivenPicture(b"the side", (80.0, 10.0), b"its mask")]
SAID = [each.said() for each in TWO]
ARRIVED = [["front", zlib.crc32(b"the front"), 0], [[80.0, 10.0], zlib.crc32(b"the side"), zlib.crc32(b"its mask")]]


def add(driver: Driver, steps: int = 30, source: bytes | None = None, pictures: bytes | Path | None = None) -> Job:
    settings: dict[str, Any] = {"optimize": {"steps": steps}, **({"start": {"lock": 0.5}} if source else {})}
    recipe = Recipe("a car", settings=settings, pictures=SAID)
    return driver.queue.add(recipe, {}, source, pictures=joined(TWO) if pictures is None else pictures)


def given(job: Job) -> Any:
    return json.loads((job.folder / REPORT).read_text())["given"]


def test_a_job_sends_its_pictures_with_their_masks_alone_and_after_a_blockout(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        alone, both = add(driver), add(driver, source=ball_glb("a blockout", 0))
        assert driver.over(alone).state is driver.over(both).state is JobState.DONE, driver.story()
        assert given(alone) == given(both) == ARRIVED
        again = driver.over(add(driver, pictures=alone.folder / PICTURES))
        assert given(again) == ARRIVED and (again.folder / PICTURES).read_bytes() == joined(TWO)


def test_it_is_resumed_without_the_pictures_and_retried_with_them(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = add(driver, 60)
        driver.until(lambda: job.step > 20)
        driver.queue.cancel(job)
        assert driver.over(job).state is JobState.CANCELLED
        driver.queue.resume(job)
        assert driver.over(job).state is JobState.DONE and given(job) == [], driver.story()
        driver.queue.retry(job)
        assert driver.over(job).state is JobState.DONE and given(job) == ARRIVED, driver.story()


@pytest.mark.parametrize("left", [None, b"", b"the front and", joined(TWO) + b"more"])
def test_pictures_that_are_gone_or_cut_are_told_and_the_next_job_runs(tmp_path: Path, left: bytes | None) -> None:
    with driving(tmp_path) as driver:
        job = driver.over(add(driver))
        (job.folder / PICTURES).unlink() if left is None else (job.folder / PICTURES).write_bytes(left)
        driver.queue.retry(job)
        driver.over(job)
        assert job.state is JobState.FAILED and job.trouble is not None
        assert job.trouble.code == "job.pictures_missing" and "Pictures" in job.trouble.fix
        assert driver.over(driver.queue.add(Recipe("a mug"))).state is JobState.DONE


def test_after_a_restart_it_has_its_pictures_still_and_older_addons_leave_it_alone(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    job = store.create(Recipe("a car", pictures=SAID), {}, None, pictures=joined(TWO))
    store.close(10.0)
    (back,) = JobStore(tmp_path).load()
    assert back.has_pictures and back.recipe.pictures == SAID
    assert json.loads((job.folder / BIRTH).read_text())["format"] == 3
    assert not Job("0", back.recipe, tmp_path, task=REFINE).has_pictures, "what is refined has its own mesh"


def test_a_damaged_recipe_of_pictures_is_no_job(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    job = store.create(Recipe("a car", pictures=SAID), {}, None, pictures=joined(TWO))
    store.close(10.0)
    record = json.loads((job.folder / BIRTH).read_text())
    record["recipe"]["pictures"][0]["bytes"] = 10**12
    (job.folder / BIRTH).write_text(json.dumps(record))
    (job.folder / "journal.jsonl").unlink()
    again = JobStore(tmp_path)
    assert again.load() == [] and "pictures" in again.unreadable[0].why


@pytest.mark.slow
def test_the_real_server_takes_them_and_refuses_those_that_are_none(tmp_path: Path) -> None:
    with driving(tmp_path, command=COUNTING, environ={"PYTHONPATH": str(ROOT)}) as driver:
        mask = png(64, 64, 0)  # of one colour: nothing in it is white
        bad = [GivenPicture(b"no bitmap"), GivenPicture(png(64, 64, 9), "back", mask)]
        recipe = Recipe("a red mug", preset="draft", pictures=[each.said() for each in bad])
        job = driver.over(driver.queue.add(recipe, pictures=joined(bad)))
        assert job.state is JobState.FAILED and job.trouble is not None
        assert job.trouble.code == "input.picture" and "picture 1" in job.trouble.why
