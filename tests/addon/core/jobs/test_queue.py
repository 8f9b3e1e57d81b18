"""The queue over real engine processes: the life of a job."""

from __future__ import annotations

import json
from pathlib import Path

from addon.core.driving import HASTY, add, driving, wait_for

from blender_addon.core.job import JobState, Recipe


def test_a_job_runs_to_its_mesh_and_everything_lies_in_its_folder(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        assert driver.queue.engine_state == "absent" and not driver.queue.busy
        job = driver.queue.add(Recipe("a red mug", seed=3), {"where": [1, 2, 3]})
        assert job.state is JobState.QUEUED and driver.queue.busy
        driver.over(job)
        assert job.state is JobState.DONE, driver.story()
        assert job.folder.parent == tmp_path / "jobs" and job.folder.name == f"a-red-mug-3-{job.id}"
        assert job.result == job.folder / "mesh.glb"
        assert job.result.read_bytes() == driver.changes[-1].data and driver.changes[-1].topic == "result"
        assert job.thumbnail is not None and job.thumbnail.read_bytes().startswith(b"\x89PNG")
        assert json.loads((job.folder / "result.json").read_text())["seed"] == 3
        assert job.recipe.versions == {"torch": "0", "dreamfusion_engine": "9.9"}
        assert (job.share, job.wish, job.trouble) == (1.0, "", None)
        assert job.notes == ["The object is rather flat."]
        assert job.verdict == [
            "Recognised by a judge from 88% of the sides, without colour from 100%",
            "Made with paper: you may sell it: yes.",
        ]
        assert job.started is not None and job.ended is not None and job.started <= job.ended
        assert {"engine", "state", "progress", "picture", "mesh", "note", "result"} == set(driver.topics())
        assert driver.queue.models is not None and driver.queue.models[0]["name"] == "starter"


def test_jobs_run_one_after_another_in_one_engine(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        jobs = [add(driver, f"a mug {number}", 10) for number in range(3)]
        running: list[int] = []
        driver.until(lambda: running.append(sum(j.state is JobState.RUNNING for j in jobs)) or jobs[-1].state.over)
        assert [job.state for job in jobs] == [JobState.DONE] * 3 and max(running) == 1
        assert len(driver.engines) == 1
        ends = [job.ended or 0.0 for job in jobs]
        assert ends == sorted(ends)


def test_a_running_job_is_cancelled_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = add(driver, "a mug", 60)
        driver.until(lambda: job.step > 20)
        driver.queue.cancel(job)
        assert job.wish == "cancel"
        driver.over(job)
        assert job.state is JobState.CANCELLED and job.can_resume and job.wish == ""
        driver.queue.resume(job)
        driver.until(lambda: job.state is JobState.RUNNING and job.step > 0)
        assert job.step > 20
        assert driver.over(job).state is JobState.DONE
        assert len(driver.engines) == 1


def test_resuming_without_a_checkpoint_starts_anew_and_says_so(tmp_path: Path) -> None:
    with driving(tmp_path, "--remote", local=False) as driver:
        job = add(driver, "a mug", 60)
        driver.until(lambda: job.step > 3)
        driver.queue.cancel(job)
        driver.over(job)
        driver.queue.resume(job)
        assert driver.over(job).state is JobState.DONE
        assert any("from the beginning" in note for note in job.notes)


def test_an_engine_elsewhere_gets_no_local_path_and_its_files_come_over_the_wire(tmp_path: Path) -> None:
    with driving(tmp_path, "--remote", local=False) as driver:
        job = driver.over(add(driver, "a mug"))
        assert job.state is JobState.DONE
        assert {path.name for path in job.folder.iterdir()} >= {"mesh.glb", "result.json", "thumbnail.png", "row.png"}
        assert not (job.folder / "checkpoint").exists()


def test_a_job_is_paused_and_resumed_in_the_engine(tmp_path: Path) -> None:
    with driving(tmp_path, patience=HASTY) as driver:
        job = add(driver, "a mug", 100)
        driver.until(lambda: job.step > 5)
        driver.queue.pause(job)
        driver.until(lambda: job.state is JobState.PAUSED)
        step = job.step
        driver.pass_time(HASTY.silence + 1.0)  # heartbeats go on
        assert (job.state, job.step, job.wish) == (JobState.PAUSED, step, "")
        driver.queue.resume(job)
        driver.until(lambda: job.state is JobState.RUNNING)
        assert driver.over(job).state is JobState.DONE


def test_a_waiting_job_is_paused_and_let_go(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        first, second, third = (add(driver, f"a mug {number}", 20) for number in range(3))
        driver.queue.pause(second)
        driver.over(third)
        assert (first.state, second.state) == (JobState.DONE, JobState.PAUSED)
        driver.queue.resume(second)
        assert driver.over(second).state is JobState.DONE


def test_a_pause_that_is_taken_back_at_once_leaves_no_wish(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = add(driver, "a mug", 60)
        driver.until(lambda: job.step > 5)
        driver.queue.pause(job)
        driver.queue.resume(job)
        assert job.wish == ""
        assert driver.over(job).state is JobState.DONE


def test_finishing_is_not_undone_by_a_pause_that_comes_late(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = add(driver, "a mug", 100_000)
        driver.until(lambda: job.step > 5)
        driver.queue.pause(job)
        inbox = driver.engines[0]._inbox  # the engine is held, and its word waits to be read
        wait_for(lambda: any(frame.message["type"] == "paused" for frame in list(inbox._frames.values())))
        driver.queue.finish(job)
        states: list[JobState] = []
        driver.until(lambda: states.append(job.state) or job.state.over)
        assert set(states) == {JobState.FINISHING, JobState.DONE}


def test_a_closed_queue_starts_nothing_and_can_be_closed_again(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        add(driver, "a mug")
