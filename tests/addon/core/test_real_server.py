"""The queue against the engine's real server and request checks, around a run that only counts."""

from __future__ import annotations

import sys
from pathlib import Path

from addon.core.driving import SCRIPTED_ENGINE, driving

from blender_addon.core.job import JobState, Recipe

COUNTING = [sys.executable, str(SCRIPTED_ENGINE.with_name("fake_engine.py")), "serve"]
ROOT = SCRIPTED_ENGINE.parents[2]


def recipe(prompt: str = "a red mug", **settings: object) -> Recipe:
    return Recipe(prompt, seed=2, preset="draft", settings={"optimize": {"steps": 60}, **settings})


def test_the_real_server_takes_what_the_queue_asks_for(tmp_path: Path) -> None:
    with driving(tmp_path, command=COUNTING, environ={"PYTHONPATH": str(ROOT)}) as driver:
        queue = driver.queue
        job = driver.over(queue.add(recipe()))
        assert job.state is JobState.DONE, driver.story()
        assert job.result == job.folder / "mesh.glb" and job.result.is_file()
        assert queue.models is not None and "hamburger" in queue.models[0]["kinds"]
        queue.retry(job)  # the same job again, in the same engine, which refuses an id that it has seen
        assert driver.over(job).state is JobState.DONE, driver.story()
        assert len(driver.engines) == 1


def test_a_job_is_steered_through_the_real_server(tmp_path: Path) -> None:
    with driving(tmp_path, command=COUNTING, environ={"PYTHONPATH": str(ROOT)}) as driver:
        queue = driver.queue
        job = queue.add(recipe(optimize={"steps": 100_000}))
        driver.until(lambda: job.step > 5)
        queue.pause(job)
        driver.until(lambda: job.state is JobState.PAUSED)
        queue.resume(job)
        driver.until(lambda: job.state is JobState.RUNNING)
        queue.cancel(job)
        assert driver.over(job).state is JobState.CANCELLED
        queue.resume(job)
        driver.until(lambda: job.state is JobState.RUNNING and job.step > 5)
        queue.finish(job)
        assert driver.over(job).state is JobState.DONE, driver.story()


def test_what_the_real_engine_refuses_is_told_in_its_words_and_the_next_job_is_made(tmp_path: Path) -> None:
    with driving(tmp_path, command=COUNTING, environ={"PYTHONPATH": str(ROOT)}) as driver:
        queue = driver.queue
        refused = [
            queue.add(recipe("a zebra")),
            queue.add(recipe("")),
            queue.add(recipe(mesh={"lattice": 5})),
            queue.add(recipe(device="abacus")),
            queue.add(recipe("a \ud800 mug")),
        ]
        good = queue.add(recipe())
        assert driver.over(good).state is JobState.DONE, driver.story()
        for job in refused:
            assert job.state is JobState.FAILED and job.trouble is not None
            assert job.trouble.what and job.trouble.why and job.trouble.fix
        codes = [job.trouble.code for job in refused if job.trouble is not None]
        assert codes[1:4] == ["input.prompt_empty", "input.unknown_setting", "input.device"]
        assert "zebra" in str(refused[0].trouble)
