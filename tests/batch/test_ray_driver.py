"""How jobs are given to a cluster's machines, on a cluster that is played: deaths, full disks, machines that differ.

Of: dreamfusion_engine/batch/ray_driver.py, dreamfusion_engine/batch/ray_cluster.py.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.pretend_ray import Cluster, PretendNode, installed
from reference.paper_model import write_paper_model
from reference.wire_client import PATIENCE, QUICK_ENGINE

from dreamfusion_engine.batch.carried import parcel
from dreamfusion_engine.batch.room import HOST_BYTES
from dreamfusion_engine.errors import EngineError, SetupError

pytestmark = pytest.mark.slow

GIB = 1 << 30


class Told:
    """What the driver says, as a stream."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []

    def write(self, line: bytes) -> None:
        self.said.append(json.loads(line))

    def flush(self) -> None:
        pass

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.said if each["kind"] == kind]


class Drive:
    """A driver at work in a thread, with two jobs that count."""

    def __init__(self, folder: Path, cluster: Cluster, *, steps: int = 100, count: int = 2, **more: Any) -> None:
        model = folder / "model"
        if not model.exists():
            write_paper_model(model)
        self.folder, self.told, self.stop = folder / "o", Told(), threading.Event()
        self.error: EngineError | None = None
        spec = {
            "jobs": [{"name": f"job-{i}", "prompt": "a red mug", "seed": i} for i in range(count)],
            "folder": str(self.folder),
            "options": ["--model=own/model", "--device=cpu", f"--steps={steps}"],
            "threads": 1,
            "program": [sys.executable, str(QUICK_ENGINE)],
            "parcels": [parcel("own/model", model).to_json()],
            "main": GIB,
            "card": 6 * GIB,
            "device": "cpu",
            "most": 0,
            "every_s": 0.0,
        }
        module = importlib.import_module("dreamfusion_engine.batch.ray_driver")
        vars(importlib.import_module("dreamfusion_engine.batch.ray_cluster"))["_LOOK_EVERY"] = 0.2
        self.driver = module.Driver(spec | more, self.told, self.stop)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.driver.run()
        except EngineError as error:
            self.error = error

    def wait_for(self, true: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < until and self._thread.is_alive(), (self.error, self.told.said[-5:])
            time.sleep(0.02)

    def end(self) -> dict[str, str]:
        """How each job ended."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return {each["job"]: each["outcome"]["fate"] for each in self.told.of("ended")}

    def notes(self) -> str:
        return "\n".join(each["text"] for each in self.told.of("note"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREAMFUSION_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def two() -> Iterator[Cluster]:
    cluster = Cluster(first=PretendNode(), second=PretendNode())
    with installed(cluster):
        yield cluster


def test_two_machines_share_the_jobs_and_get_the_model_once(tmp_path: Path, two: Cluster) -> None:
    drive = Drive(tmp_path, two)
    assert drive.end() == {"job-0": "done", "job-1": "done"} and drive.error is None
    assert [len(node.actors) for node in two.nodes.values()] == [1, 1]
    assert drive.told.of("places")[-1]["count"] == 2
    assert drive.notes().count("is sent to") == 1, "both machines are one here, with one cache"
    assert all((drive.folder / name / "mesh.glb").is_file() for name in ("job-0", "job-1"))


def test_the_job_of_a_machine_that_dies_goes_on_at_the_other_from_its_checkpoint(tmp_path: Path, two: Cluster) -> None:
    drive = Drive(tmp_path, two, steps=400)
    saved = [drive.folder / name / "checkpoint" / "checkpoint.json" for name in ("job-0", "job-1")]
    drive.wait_for(lambda: all(path.is_file() for path in saved))
    two.kill("second")
    assert drive.end() == {"job-0": "done", "job-1": "done"}
    assert len(two.nodes["first"].actors) == 2 and len(two.nodes["second"].actors) == 1
    began = [each["job"] for each in drive.told.of("began")]
    moved = next(name for name in began if began.count(name) == 2)
    assert "is gone" in drive.notes() and "last checkpoint" in drive.notes()
    again = [each for each in drive.told.said if each["job" if "job" in each else "kind"] == moved]
    second_life = again[max(i for i, each in enumerate(again) if each["kind"] == "began") :]
    assert next(each["share"] for each in second_life if each["kind"] == "progress") > 0.01


def test_a_machine_without_room_on_its_disk_gives_the_job_away(tmp_path: Path, two: Cluster) -> None:
    two.nodes["second"].spoiled = OSError(28, "No space left on device")
    drive = Drive(tmp_path, two, count=3)
    assert set(drive.end().values()) == {"done"} and "No space left" in drive.notes()
    two.nodes["first"].spoiled = OSError(28, "No space left on device")
    full = Drive(tmp_path / "again", two)
    assert set(full.end().values()) == {"failed"}
    assert full.told.of("ended")[0]["outcome"]["trouble"]["code"] == "input.disk_full"


def test_machines_that_would_make_other_meshes_or_lack_the_engine_are_left_out_by_name(tmp_path: Path) -> None:
    other = PretendNode(says={"torch": "1.0.0", "host": "old-one"})
    full = PretendNode(says={"disk_free": 1 << 20, "host": "full-one"})
    bare = PretendNode(spoiled=ModuleNotFoundError("No module named 'dreamfusion_engine'"))
    cluster = Cluster(other=other, full=full, bare=bare, good=PretendNode())
    with installed(cluster):
        drive = Drive(tmp_path, cluster)
        assert drive.end() == {"job-0": "done", "job-1": "done"}
    assert len(cluster.nodes["good"].actors) == 2 and not (other.actors or full.actors or bare.actors)
    notes = drive.notes()
    assert "old-one: it has torch 1.0.0" in notes and "full-one: its disk has only 1 MiB" in notes
    assert "No module named 'dreamfusion_engine'" in notes


def test_where_no_machine_can_work_that_is_an_error_with_every_reason(tmp_path: Path) -> None:
    small = PretendNode(resources={"CPU": 4.0, "memory": 1e6}, says={"host": "small-one"})
    cluster = Cluster(other=PretendNode(says={"engine": "0.0.1", "host": "old-one"}), small=small)
    with installed(cluster):
        drive = Drive(tmp_path, cluster)
        drive.end()
    assert isinstance(drive.error, SetupError) and drive.error.code == "setup.cluster_machines"
    assert "old-one" in drive.error.why and "small-one" in drive.error.why and "1,024 MiB" in drive.error.why


def test_a_stop_keeps_checkpoints_and_gives_no_more_jobs(tmp_path: Path, two: Cluster) -> None:
    drive = Drive(tmp_path, two, steps=3000, count=4)
    drive.wait_for(lambda: len(drive.told.of("began")) == 2)
    drive.wait_for(lambda: any(each["share"] > 0.02 for each in drive.told.of("progress")))
    drive.stop.set()
    assert set(drive.end().values()) == {"stopped"} and len(drive.told.of("began")) == 2
    notes = [note["text"] for note in drive.told.of("note")]
    assert any("2 at work" in text and "10:00" in text for text in notes)
    for each in drive.told.of("began"):
        assert (drive.folder / each["job"] / "checkpoint" / "checkpoint.json").is_file()


def test_small_jobs_share_a_card_by_the_estimate(tmp_path: Path) -> None:
    cards = PretendNode(resources={"CPU": 32.0, "GPU": 2.0, "memory": 1e12}, says={"cards": [24 * GIB, 24 * GIB]})
    with installed(Cluster(cards=cards, plain=PretendNode())) as _:
        module = importlib.import_module("dreamfusion_engine.batch.ray_cluster")
        machines = module.Machines({"device": "auto", "card": 6 * GIB, "threads": 1, "main": GIB, "most": 0}, print)
        machines.look(at_work=False)
        assert {name: each.places for name, each in machines.good.items()} == {"cards": 6, "plain": 0}
        assert machines.needs == {"num_cpus": 1, "memory": HOST_BYTES, "num_gpus": 0.3333}
        assert 3 * machines.needs["num_gpus"] <= 1.0
