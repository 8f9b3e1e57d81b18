"""A job on a machine of a cluster, without a cluster: its files come and go, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from reference.paper_model import write_paper_model
from reference.wire_client import PATIENCE, QUICK_ENGINE

from dreamfusion_engine.batch import ray_node
from dreamfusion_engine.batch.bundle import Bundle, unpack, whole
from dreamfusion_engine.batch.carried import parcel, pieces
from dreamfusion_engine.batch.news import Outcome
from dreamfusion_engine.batch.ray_node import NodeJob, facts, failed_by, sweep, work_folder
from dreamfusion_engine.machine.file_lock import only_one

JOB = {"name": "a-red-mug-0", "prompt": "a red mug", "seed": 0}
PROGRAM = [sys.executable, str(QUICK_ENGINE)]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeJob]:
    """A job of 400 steps with a model that has to be carried; its own cache is the machine's."""
    monkeypatch.setenv("DREAMFUSION_CACHE", str(tmp_path / "cache"))
    made = NodeJob(PROGRAM, ["--model=own/model", "--device=cpu", "--steps=400"], 1, 0.0)
    model = parcel("own/model", write_paper_model(tmp_path / "model"))
    if made.lacks(model):
        for name, offset, piece in pieces(model):
            made.take(model, name, offset, piece)
        made.close(model)
    assert not made.lacks(model)
    yield made
    made.leave()


def followed(job: NodeJob, folder: Path, *, stop_at: float = 2.0) -> Outcome:
    """Hand what comes back to a folder, as the driver does, until the job has ended."""
    until = time.monotonic() + PATIENCE
    stop = False
    while time.monotonic() < until:
        said = job.report(stop)
        if said.bundle is not None:
            unpack(said.bundle, folder)
        for news in said.news:
            stop |= news.share >= stop_at
            if news.outcome is not None:
                return news.outcome
    raise AssertionError("it did not end")


@pytest.mark.slow
def test_a_job_that_stops_here_goes_on_there_and_ends_as_one_that_never_stopped(tmp_path: Path, job: NodeJob) -> None:
    home = tmp_path / "home"
    job.begin(JOB, Bundle(files={}, names=[]))
    assert followed(job, home, stop_at=0.1).fate == "stopped"
    step, _ = json.loads((home / "checkpoint" / "checkpoint.json").read_text())
    assert 40 <= step < 400 and not (home / "mesh.glb").exists()
    job.leave()
    assert list(work_folder().glob("job-*")) == []
    job.begin(JOB, whole(home))
    ended = followed(job, home)
    assert ended.fate == "done", ended
    job.leave()
    job.begin({**JOB, "name": "again"}, Bundle(files={}, names=[]))
    assert followed(job, tmp_path / "other").fate == "done"
    assert (home / "mesh.glb").read_bytes() == (tmp_path / "other" / "mesh.glb").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows blocks no signals")
def test_a_job_stops_where_its_worker_blocks_the_signal_as_rays_do(
    tmp_path: Path, job: NodeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    monkeypatch.setenv("FAKE_ENGINE_HOLD", str(hold))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        job.begin(JOB, Bundle(files={}, names=[]))
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set()), "the worker's own is as it was"
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert followed(job, tmp_path / "home", stop_at=0.1).fate == "stopped"


def test_what_is_left_of_a_killed_job_is_taken_away_and_one_at_work_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("job-dead", "job-alive", "job-young", "carried"):
        (tmp_path / name).mkdir()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600.0)
    with only_one(tmp_path / "job-alive" / ".node.lock", ray_node._never):
        sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["carried", "job-alive"]
    (tmp_path / "job-young").mkdir()
    monkeypatch.setattr(time, "time", lambda: now)
    sweep(tmp_path)
    assert (tmp_path / "job-young").is_dir(), "it is being made"


def test_a_machine_says_what_decides_a_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREAMFUSION_CACHE", str(tmp_path))
    said = facts()
    assert {"engine", "python", "torch", "host", "cards", "disk_free", "folder"} == set(said)
    assert said["disk_free"] > 0 and "+" not in said["torch"] and said["folder"].startswith(str(tmp_path))


def test_a_full_disk_is_one_and_anything_else_is_a_death_at_a_place_with_a_name() -> None:
    assert failed_by(OSError(28, "No space left on device"), "node 7").trouble["code"] == "input.disk_full"
    lost = failed_by(RuntimeError("The actor died\nand much more"), "node 7")
    assert lost.fate == "died" and lost.trouble["why"] == "node 7: RuntimeError: The actor died."
