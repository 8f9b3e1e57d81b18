"""The queue over real engine processes: the life of a job."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from addon.core.driving import HASTY, add, alive, driving, wait_for
from addon.inside.effort import counted

from blender_addon.core.job import JobState, Recipe, Trouble


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
        driver.queue.close()
        assert driver.tick() == [] and driver.engines == []
        driver.queue.close()


@pytest.mark.parametrize("held", [False, True])
def test_stop_here_and_keep_it_makes_the_mesh_of_what_there_is(tmp_path: Path, held: bool) -> None:
    with driving(tmp_path) as driver:
        job = add(driver, "a mug", 100_000)
        driver.until(lambda: job.step > 12)
        if held:
            driver.queue.pause(job)
            driver.until(lambda: job.state is JobState.PAUSED)
        driver.queue.finish(job)
        assert job.state is JobState.FINISHING
        assert driver.over(job).state is JobState.DONE and job.result is not None


def test_a_waiting_job_is_cancelled_at_once(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        first, second = add(driver, "a mug"), add(driver, "a chair")
        driver.queue.cancel(second)
        assert second.state is JobState.CANCELLED
        assert driver.over(first).state is JobState.DONE
        assert second.started is None


def test_removing_deletes_the_folder_of_a_waiting_a_running_and_a_done_job(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        done = driver.over(add(driver, "a mug"))
        running, waiting = add(driver, "a slow chair"), add(driver, "a car")
        driver.until(lambda: running.step > 1)
        for job in (done, running, waiting):
            driver.queue.remove(job)
        assert driver.queue.jobs == []
        driver.until(lambda: not any(job.folder.exists() for job in (done, running, waiting)))
        assert driver.over(add(driver, "a house")).state is JobState.DONE


def test_a_failure_is_told_in_the_engines_words_and_retry_starts_anew(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job = driver.over(add(driver, "fail"))
        assert job.state is JobState.FAILED
        assert job.trouble == Trouble("run.out_of_memory", "The memory ran out.", "2 TiB", "Use --preset draft.")
        job.recipe.prompt = "a mug"
        driver.queue.retry(job)
        assert job.trouble is None
        assert driver.over(job).state is JobState.DONE


def test_an_idle_engine_is_ended_and_comes_back_for_the_next_job(tmp_path: Path) -> None:
    with driving(tmp_path, keep_loaded_s=0.3) as driver:
        driver.over(add(driver, "a mug", 5))
        pid = driver.queue._host.pid
        assert pid is not None
        driver.until(lambda: driver.queue.engine_state == "absent")
        driver.until(lambda: not alive(pid))
        assert driver.queue.models  # still known
        assert driver.over(add(driver, "a chair", 5)).state is JobState.DONE
        assert len(driver.engines) == 2


def test_an_engine_that_was_idle_for_long_is_not_called_silent_when_it_gets_a_job(tmp_path: Path) -> None:
    with driving(tmp_path, patience=HASTY) as driver:
        driver.over(add(driver, "a mug", 5))
        driver.pass_time(HASTY.load + 0.5)  # an idle engine says nothing
        job = driver.over(add(driver, "ponder a mug", 5))
        assert job.state is JobState.DONE, driver.story()
        assert len(driver.engines) == 1 and driver.queue.silence_s == 0.0


def test_an_engine_can_be_started_without_a_job_and_is_remembered(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        assert driver.queue.devices is None
        driver.queue.start_engine()
        driver.until(lambda: driver.queue.engine_state == "ready")
        driver.queue.stop_engine()
        assert driver.queue.engine_state == "absent"
    with driving(tmp_path) as again:
        assert again.queue.devices is not None and again.queue.devices["default"] == "cpu"
        assert again.queue.models is not None and again.queue.engine_state == "absent"


def test_closing_in_the_middle_is_quick_leaves_no_process_and_the_job_goes_on_next_time(tmp_path: Path) -> None:
    with driving(tmp_path) as driver:
        job, waiting = add(driver, "a mug", 100), add(driver, "a chair", 5)
        driver.until(lambda: job.step > 30)
        pid = driver.queue._host.pid
        assert pid is not None
        with counted() as effort:
            driver.queue.close()
        assert effort.waited_s < 2.0
        wait_for(lambda: not alive(pid))
        assert job.state is JobState.INTERRUPTED
    with driving(tmp_path) as again:
        first, second = again.queue.jobs
        assert (first.id, second.id) == (job.id, waiting.id)
        assert (first.state, second.state) == (JobState.INTERRUPTED, JobState.INTERRUPTED)
        assert first.trouble is not None and "step" in first.trouble.why
        again.queue.resume(first)
        again.until(lambda: first.step > 0)
        assert first.step > 29
        again.queue.resume(second)
        assert again.over(second).state is JobState.DONE and first.state is JobState.DONE


def test_an_output_folder_that_cannot_be_written_is_a_clear_failure(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("a file")
    with driving(tmp_path, "--start-delay", "5") as driver:
        job = driver.over(add(driver, "a mug"))
        assert job.trouble is not None and job.trouble.code == "job.write"
        assert str(tmp_path / "jobs") in job.trouble.why


def test_a_second_blender_sees_the_first_ones_job_and_leaves_it_alone(tmp_path: Path) -> None:
    with driving(tmp_path) as one, driving(tmp_path) as other:
        job = add(one, "a mug", 100_000)
        one.until(lambda: job.step > 3)
        other.queue.close()
        with driving(tmp_path) as late:
            seen = late.queue.jobs[0]
            assert seen.id == job.id and "another Blender" in seen.owner and str(os.getpid()) in seen.owner
            for do in (late.queue.cancel, late.queue.resume, late.queue.retry, late.queue.pause, late.queue.remove):
                do(seen)
            for _ in range(10):
                late.tick()
            assert late.queue.jobs == [seen] and late.queue.engine_state == "absent"
            one.queue.finish(job)
            one.over(job)
            late.until(lambda: seen.state is JobState.DONE)
            assert seen.owner == "" and seen.result is not None


def test_two_blenders_do_not_resume_one_job_twice(tmp_path: Path) -> None:
    with driving(tmp_path) as before:
        job = add(before, "a mug", 200)
        before.until(lambda: job.step > 20)
    with driving(tmp_path) as one, driving(tmp_path) as other:
        mine, theirs = one.queue.jobs[0], other.queue.jobs[0]
        one.queue.resume(mine)
        one.until(lambda: mine.state is JobState.RUNNING)
        other.queue.resume(theirs)
        other.until(lambda: bool(theirs.owner))
        assert other.queue.current is None
        assert one.over(mine).state is JobState.DONE
