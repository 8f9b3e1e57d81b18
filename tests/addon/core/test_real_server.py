"""The queue against the engine's real server and request checks, around a run that only counts.

Of: blender_addon/core/jobs/queue.py, dreamfusion_engine/server/server.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from addon.core.driving import SCRIPTED_ENGINE, driving
from reference.paper_model import paper_tensors, write_paper_model

from blender_addon.core.job import JobState, Recipe
from blender_addon.core.model_card import has_recipe, takes

COUNTING = [sys.executable, str(SCRIPTED_ENGINE.with_name("fake_engine.py")), "serve"]
ROOT = SCRIPTED_ENGINE.parents[2]


def recipe(prompt: str = "a red mug", **settings: object) -> Recipe:
    return Recipe(prompt, seed=2, preset="draft", settings={"optimize": {"steps": 60}, **settings})


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_what_the_real_engine_refuses_is_told_in_its_words_and_the_next_job_is_made(tmp_path: Path) -> None:
    lora = tmp_path / "clay.safetensors"
    lora.write_bytes(paper_tensors({"lora_unet_a.lora_down.weight": (4, 8), "lora_unet_a.lora_up.weight": (8, 4)}))
    with driving(tmp_path, command=COUNTING, environ={"PYTHONPATH": str(ROOT)}) as driver:
        queue = driver.queue
        refused = [
            queue.add(recipe("a zebra")),
            queue.add(recipe("")),
            queue.add(recipe(mesh={"lattice": 5})),
            queue.add(recipe(device="abacus:7")),
            queue.add(recipe(adapters={"lora": [[str(lora), 1.0]]})),
            queue.add(recipe(adapters={"embeddings": [str(tmp_path / "absent.safetensors")]})),
        ]
        half = queue.add(recipe("a \ud800 mug"))  # half a character is no reason to refuse the rest
        good = queue.add(recipe())
        assert driver.over(good).state is JobState.DONE, driver.story()
        assert half.state is JobState.DONE
        for job in refused:
            assert job.state is JobState.FAILED and job.trouble is not None
            assert job.trouble.what and job.trouble.why and job.trouble.fix
        codes = [job.trouble.code for job in refused if job.trouble is not None]
        assert codes[1:4] == ["input.prompt_empty", "input.unknown_setting", "input.device"]
        assert codes[4:] == ["input.lora", "input.adapter_file"]
        assert "zebra" in str(refused[0].trouble) and "DeepFloyd IF" in str(refused[4].trouble)


@pytest.mark.slow
def test_a_models_folder_is_told_of_when_it_is_asked_about_and_known_the_next_time(tmp_path: Path) -> None:
    folder = str(write_paper_model(tmp_path / "model"))
    with driving(tmp_path, command=COUNTING, environ={"PYTHONPATH": str(ROOT)}) as driver:
        driver.queue.ask_about([("", ""), ("x" * 5000, ""), (folder, ""), (folder, "")])
        driver.queue.start_engine()
        driver.until(lambda: bool(driver.queue.given))
        assert [line["name"] for line in driver.queue.given] == [folder]
        assert has_recipe(driver.queue.given[0]) and takes(driver.queue.given[0], "lora") is False
        driver.queue.ask_about([(folder, ""), ("/no/such/folder", "")])
        driver.until(lambda: len(driver.queue.given) == 2)
        assert driver.queue.given[1]["state"] == "broken"
        job = driver.over(driver.queue.add(recipe()))
        assert job.state is JobState.DONE, driver.story()
    with driving(tmp_path, command=COUNTING, environ={"PYTHONPATH": str(ROOT)}) as driver:
        assert [line["name"] for line in driver.queue.given] == [folder, "/no/such/folder"]
