"""Jobs that hold a contest: what is sent, told, kept, chosen, resumed and read back.

Of: blender_addon/core/contest.py, blender_addon/core/jobs/run.py, blender_addon/core/jobs/folder.py.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from addon.core.driving import Driver, driving
from fakes.scripted_contest import STEPS_A_ROUND

from blender_addon.core.contest import STATE, draft_folder, mesh_file, thumbnail_file
from blender_addon.core.job import GENERATE, Job, JobState, Recipe
from blender_addon.core.jobs.estimates import Estimates
from blender_addon.core.jobs.folder import BIRTH, FORMAT, MESH, REPORT, read_job
from blender_addon.core.jobs.store import JobStore


def add(driver: Driver, prompt: str = "a mug", steps: int = 30, first: int = 3, count: int = 4) -> Job:
    return driver.queue.add(Recipe(prompt, seed=first, settings={"optimize": {"steps": steps}}, seeds=count))


def reached(job: Job) -> bool:
    return job.step > 0 or job.state.over


def test_the_best_seed_is_finished_and_every_draft_is_kept(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = driver.over(add(driver))
        assert (job.state, job.task, job.winner) == (JobState.DONE, GENERATE, 6), driver.story()
        assert job.outcome.seed == 6 and not job.outcome.is_contest and job.recipe.seeds == 4
        assert job.standing is not None and job.standing.judge == "a scripted judge"
        assert [each.seed for each in job.standing.seeds] == [6, 5, 4, 3]
        assert [each.mesh for each in job.standing.seeds] == [False, True, True, True]
        assert driver.queue.store.flush(60.0)
        for each in job.standing.seeds:
            assert (job.folder / thumbnail_file(each.seed)).read_bytes()[1:4] == b"PNG"
            assert (job.folder / mesh_file(each.seed)).is_file() == each.mesh
        pictures = {change.name for change in driver.changes if change.topic == "picture"}
        assert {"seed-3", "seed-4", "seed-5", "seed-6", "latest"} <= pictures
        assert not any("Round" in note for note in job.notes), "the panel shows the standing"


def test_a_person_s_choice_wins_and_one_for_a_run_that_cannot_take_it_is_refused(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = add(driver, "a slow mug", steps=3)
        assert driver.queue.choose(job, 3) is False, "it has not begun"
        driver.until(lambda: job.standing is not None and any(each.step for each in job.standing.seeds))
        assert driver.queue.choose(job, 3) is True and job.choice == 3
        plain = driver.queue.add(Recipe("a plate", settings={"optimize": {"steps": 60}}))
        driver.over(job)
        assert (job.state, job.winner) == (JobState.DONE, 3), driver.story()
        assert job.standing is not None and [each.seed for each in job.standing.left] == [3]
        driver.until(lambda: plain.step > 0)
        assert driver.queue.choose(plain, 0) is False and driver.queue.choose(job, 4) is False
        assert driver.over(plain).state is JobState.DONE


@pytest.mark.slow
def test_it_is_cancelled_between_drafts_and_goes_on_from_its_state(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = add(driver, "a slow mug", steps=3)
        driver.until(lambda: job.standing is not None and any(each.step for each in job.standing.seeds))
        driver.queue.cancel(job)
        assert driver.over(job).state is JobState.CANCELLED and job.standing is not None
        assert (job.folder / STATE).is_file() and not (job.folder / "checkpoint").exists()
        job.step = 5  # as if its bar had moved
        driver.queue.resume(job)
        driver.until(lambda: job.state is JobState.RUNNING)
        assert job.standing is not None and not any("from the beginning" in note for note in job.notes)
        assert driver.over(job).state is JobState.DONE and job.winner == 6
        (job.folder / STATE).unlink()
        driver.queue.retry(job)
        driver.until(lambda: job.state is JobState.RUNNING)
        assert job.winner is None
        assert driver.over(job).winner == 6


def test_a_run_of_its_own_goes_on_with_a_draft_and_without_one_begins_anew(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        contest = driver.over(add(driver))
        steps = {"optimize": {"steps": 30}}
        for begun, first in ((contest.folder / draft_folder(4), STEPS_A_ROUND + 1), (tmp_path / "gone", 1)):
            job = driver.queue.add(Recipe("a slow mug", seed=4, settings=steps), begun=begun)
            driver.until(partial(reached, job))
            assert first <= job.step < first + 5, driver.story()
            driver.queue.finish(job)
            assert driver.over(job).state is JobState.DONE and job.recipe.seed == 4
        assert (contest.folder / draft_folder(4)).is_dir(), "it is a copy"


def test_seeds_that_failed_are_told(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = driver.over(add(driver, "a frail mug"))
        assert job.standing is not None and job.standing.seeds[-1].trouble == "The object vanished."
        assert job.winner == 6


def test_an_engine_elsewhere_sends_all_that_is_kept(tmp_path: Path) -> None:
    with driving(tmp_path, "--remote", local=False) as driver:
        job = driver.over(add(driver))
        assert (job.state, job.winner) == (JobState.DONE, 6), driver.story()
        assert driver.queue.store.flush(60.0)
        assert sorted(path.name for path in (job.folder / "seeds").iterdir()) == ["3", "4", "5", "6"]
        assert (job.folder / mesh_file(3)).read_bytes()[:4] == b"glTF"


def test_after_a_restart_it_is_as_it_was_and_older_addons_leave_it_alone(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = driver.over(add(driver))
        assert driver.queue.store.flush(60.0)
    (back,) = JobStore(tmp_path / "jobs").load()
    assert (back.recipe, back.standing, back.winner) == (job.recipe, job.standing, 6)
    assert json.loads((job.folder / BIRTH).read_text())["format"] == FORMAT == 3
    store = JobStore(tmp_path / "plain")
    plain = store.create(Recipe("a mug"), {})
    store.close(10.0)
    birth = json.loads((plain.folder / BIRTH).read_text())
    assert birth["format"] == 1 and "seeds" not in birth["recipe"], "an older add-on reads it"


def test_a_contest_that_the_engine_finished_alone_has_its_winner(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    job = store.create(Recipe("a mug", seed=3, seeds=4), {})
    job.state, job.started = JobState.RUNNING, 1.0
    store.save(job)
    store.close(10.0)
    (job.folder / MESH).write_bytes(b"glTF")
    (job.folder / REPORT).write_text(json.dumps({"seed": 5, "terms": {"line": "You may sell it."}}))
    (back,) = JobStore(tmp_path).load()
    assert (back.state, back.winner, back.verdict) == (JobState.DONE, 5, ["You may sell it."])
    (job.folder / REPORT).write_text("{")
    (back,) = JobStore(tmp_path).load()
    assert (back.state, back.winner, back.outcome) == (JobState.DONE, None, job.recipe)


def test_a_damaged_standing_costs_nothing_else(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    job = store.create(Recipe("a mug", seed=3, seeds=4), {})
    job.winner = 99
    store.save(job)
    store.close(10.0)
    back, _ = read_job(job.folder)
    assert back.winner is None and back.standing is None and back.recipe.seeds == 4


def test_the_estimate_of_a_contest_is_more_than_one_run_and_less_than_all(tmp_path: Path) -> None:
    estimates = Estimates(tmp_path / "estimates.json")
    one, eight = (estimates.of(Recipe("a mug", seeds=count), None).seconds for count in (1, 8))
    assert 2.0 * one < eight < 4.0 * one
    # 18 s around the training; eight seeds train 8 x 0.2 + 4 x 0.1 + 2 x 0.1 + 0.6 of a run
    assert eight == pytest.approx(18.0 + (one - 18.0) * 2.8)
