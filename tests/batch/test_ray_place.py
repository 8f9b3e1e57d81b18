"""A batch on a real Ray cluster of two nodes on the loopback: the same meshes, whatever is killed.

Of: dreamfusion_engine/batch/ray_place.py, dreamfusion_engine/batch/ray_driver.py, dreamfusion_engine/batch/ray_node.py.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from reference.paper_model import write_paper_model
from reference.ray_nodes import OPEN, PATIENCE, ROOT, Node, free_port
from reference.wire_client import QUICK_ENGINE

from dreamfusion_engine.batch import engine_process
from dreamfusion_engine.batch.news import News
from dreamfusion_engine.batch.plan import Plan
from dreamfusion_engine.batch.ray_place import RayPlace
from dreamfusion_engine.batch.run import BatchRequest, checked_batch, local_place, run_batch
from dreamfusion_engine.errors import EngineError, InputError, RunError, SetupError

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
]
STEPS = 400  # of a count, which waits after half of them until the test lets it go on
HALF = STEPS // 2
FIRST, OTHER = "a-red-mug-0", "a-hamburger-0"


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs only count."""
    monkeypatch.setattr(engine_process, "PROGRAM", (sys.executable, str(QUICK_ENGINE)))
    for name, value in OPEN.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def head(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """A head, which a test may replace."""
    nodes = [Node(port, head=True, cache=tmp_path_factory.mktemp("head"))]
    yield nodes
    nodes[0].kill()


@pytest.fixture
def second(port: int, head: list[Node], tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """Adds a node to the cluster."""
    nodes: list[Node] = []

    def add(**variables: str) -> Node:
        nodes.append(Node(port, head=False, cache=tmp_path / f"node-{len(nodes)}", **variables))
        return nodes[-1]

    yield add
    for node in nodes:
        node.kill()


class Batch:
    """A batch of two prompts that count, on a cluster, in a thread of its own. Its jobs wait halfway for `let_go`."""

    def __init__(
        self, folder: Path, port: int, *, seeds: str = "0", patience: float = PATIENCE, every_s: float = 0.3
    ) -> None:
        self.asked = asked_batch(folder, seeds)
        held_by(folder).touch()
        self.news: list[News] = []
        self.stop = threading.Event()
        self.plan: Plan | None = None
        self.error: EngineError | None = None
        address = f"127.0.0.1:{port}"
        self._place = RayPlace(address, self.asked.config, self.asked.needs, every_s=every_s, patience=patience)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.plan = run_batch(self.asked, self._place, lambda plan: None, self.news.append, self.stop.is_set)
        except EngineError as error:
            self.error = error

    def wait_for(self, true: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < until, [f"{news.kind} {news.job} {news.text}" for news in self.news]
            assert self._thread.is_alive() or true(), self.error
            time.sleep(0.05)

    def saved(self, name: str) -> int:
        """The step of a job's checkpoint that is here; 0 for none."""
        path = self.asked.folder / name / "checkpoint" / "checkpoint.json"
        return int(json.loads(path.read_text(encoding="utf-8"))[0]) if path.is_file() else 0

    def lives(self, name: str) -> list[float]:
        """How far a job was, each time that it began."""
        own = [news for news in list(self.news) if news.job == name]
        begins = [at for at, news in enumerate(own) if news.kind == "began"]
        return [next(news.share for news in own[at:] if news.kind == "progress") for at in begins]

    def let_go(self) -> None:
        held_by(self.asked.folder).unlink()

    def over(self) -> None:
        """Wait for its end."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), [f"{news.kind} {news.job} {news.text}" for news in self.news[-20:]]

    def end(self) -> dict[str, bytes]:
        """The meshes, once all is done."""
        self.over()
        assert self.error is None and self.plan is not None, self.error
        assert [(job.state, job.trouble) for job in self.plan.jobs] == [("done", {})] * len(self.plan.jobs)
        return meshes(self.asked.folder, self.plan)


def held_by(folder: Path) -> Path:
    """What holds the jobs of a batch, and of those beside it."""
    return folder.parent / "hold"


def asked_batch(folder: Path, seeds: str = "0") -> BatchRequest:
    folder.parent.mkdir(parents=True, exist_ok=True)
    lines = folder.parent / "list.txt"
    lines.write_text("a red mug\na hamburger\n", encoding="utf-8")
    model = folder.parent / "model"
    if not model.exists():
        write_paper_model(model)
    settings = {"model": str(model), "device": "cpu", "optimize": {"steps": STEPS}}
    options = [f"--model={model}", "--device=cpu", f"--steps={STEPS}", f"--hold={held_by(folder)}"]
    return checked_batch(
        lines, seeds, preset_name="standard", settings=settings, options=options, folder=folder, threads=1
    )


def alone(folder: Path, seeds: str = "0") -> dict[str, bytes]:
    """The meshes of the same batch on this machine."""
    asked = asked_batch(folder, seeds)
    plan = run_batch(asked, local_place(asked), lambda plan: None, lambda news: None, lambda: False)
    return meshes(folder, plan)


def meshes(folder: Path, plan: Plan) -> dict[str, bytes]:
    return {job.name: (folder / job.name / "mesh.glb").read_bytes() for job in plan.jobs}


def engine_of(name: str) -> psutil.Process:
    """The process of a job."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if str(QUICK_ENGINE) in words and any(word.endswith(f"/{name}") for word in words):
            return process
    raise AssertionError(f"no process of {name}")


def test_two_nodes_make_the_meshes_that_this_machine_makes(
    tmp_path: Path, port: int, head: list[Node], second: Callable[..., Node]
) -> None:
    second()
    batch = Batch(tmp_path / "o", port, seeds="0-1")
    batch.wait_for(lambda: sum(news.kind == "began" for news in batch.news) == 2)  # side by side, as all are held
    batch.let_go()
    assert batch.end() == alone(tmp_path / "alone", "0-1")
    assert max(news.count for news in batch.news if news.kind == "places") == 2
    carried = [news.text for news in batch.news if "is sent to" in news.text]
    assert 1 <= len(carried) <= 2, "a machine gets the model once"


def test_a_run_that_is_killed_goes_on_from_its_checkpoint(tmp_path: Path, port: int, head: list[Node]) -> None:
    batch = Batch(tmp_path / "o", port)
    batch.wait_for(lambda: batch.saved(FIRST) == HALF)
    engine_of(FIRST).kill()
    batch.let_go()
    assert batch.end() == alone(tmp_path / "alone")
    assert any("signal 9" in news.text for news in batch.news)
    begun, gone_on = batch.lives(FIRST)
    assert begun < 0.1 and gone_on > 0.45, "it began anew"


def test_the_job_of_a_node_that_is_killed_goes_on_elsewhere(
    tmp_path: Path, port: int, head: list[Node], second: Callable[..., Node]
) -> None:
    node = second()
    batch = Batch(tmp_path / "o", port)
    batch.wait_for(lambda: batch.saved(FIRST) == batch.saved(OTHER) == HALF)
    node.kill()
    batch.let_go()
    assert batch.end() == alone(tmp_path / "alone")
    stayed, moved = sorted((batch.lives(FIRST), batch.lives(OTHER)), key=len)
    assert len(stayed) == 1 and len(moved) == 2, "one of them moved"
    assert moved[1] > 0.45, "it began anew"


def test_a_job_leaves_a_node_whose_disk_is_full(
    tmp_path: Path, port: int, head: list[Node], second: Callable[..., Node]
) -> None:
    second(FAKE_ENGINE_DISK="full")
    batch = Batch(tmp_path / "o", port, seeds="0-2")
    batch.wait_for(lambda: any("No space left" in news.text for news in batch.news))
    batch.let_go()
    assert batch.end() == alone(tmp_path / "alone", "0-2")


def test_a_batch_that_was_stopped_on_the_cluster_goes_on_here(tmp_path: Path, port: int, head: list[Node]) -> None:
    batch = Batch(tmp_path / "o", port, every_s=1e6)  # a checkpoint comes by the stop alone
    batch.wait_for(lambda: any(news.job == FIRST and news.share > 0.45 for news in batch.news))
    assert batch.saved(FIRST) == 0
    batch.stop.set()
    batch.over()
    assert batch.error is None and batch.plan is not None
    assert [job.state for job in batch.plan.jobs] == ["waiting", "waiting"]
    assert batch.saved(FIRST) > 0.45 * STEPS and not (tmp_path / "o" / FIRST / "mesh.glb").exists()
    batch.let_go()
    went_on, news = asked_batch(tmp_path / "o"), list[News]()
    plan = run_batch(went_on, local_place(went_on), lambda plan: None, news.append, lambda: False)
    assert plan.count("done") == 2
    assert next(each.share for each in news if each.job == FIRST and each.kind == "progress") > 0.45, "it began anew"
    assert meshes(tmp_path / "o", plan) == alone(tmp_path / "alone")


def test_the_batch_waits_for_a_head_that_is_started_again(
    tmp_path: Path, port: int, head: list[Node], tmp_path_factory: pytest.TempPathFactory
) -> None:
    batch = Batch(tmp_path / "o", port)
    batch.wait_for(lambda: batch.saved(FIRST) == HALF)
    head[0].kill()
    batch.wait_for(lambda: any("The cluster is gone" in news.text for news in batch.news))
    head[0] = Node(port, head=True, cache=tmp_path_factory.mktemp("again"))
    batch.let_go()
    assert batch.end() == alone(tmp_path / "alone")
    begun, gone_on = batch.lives(FIRST)
    assert begun < 0.1 and gone_on > 0.45, "it began anew"


def test_a_cluster_that_stays_away_is_given_up_with_the_way_to_go_on(tmp_path: Path) -> None:
    own = free_port()
    node = Node(own, head=True, cache=tmp_path / "cache")
    batch = Batch(tmp_path / "o", own, patience=1.0)
    batch.wait_for(lambda: any(news.kind == "began" for news in batch.news))
    node.kill()
    batch.over()
    assert isinstance(batch.error, RunError) and batch.error.code == "batch.cluster_gone"
    assert "same command" in batch.error.fix


def test_an_address_that_does_not_answer_is_told_at_once(tmp_path: Path) -> None:
    batch = Batch(tmp_path / "o", free_port())
    batch.over()
    assert isinstance(batch.error, SetupError) and batch.error.code == "setup.cluster"
    assert "refused" in batch.error.why and "ray start" in batch.error.fix


def test_two_heads_on_one_machine_are_named_and_none_is_chosen(
    tmp_path: Path, port: int, head: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    other = Node(free_port(), head=True, cache=tmp_path / "cache")
    try:
        asked = asked_batch(tmp_path / "o")
        place = RayPlace("ray", asked.config, asked.needs)
        with pytest.raises(InputError) as caught:
            run_batch(asked, place, lambda plan: None, lambda news: None, lambda: False)
    finally:
        other.kill()
    assert caught.value.code == "input.cluster"
    assert str(port) in caught.value.why and str(other.port) in caught.value.why


def test_another_version_of_ray_is_told_as_such(port: int, head: list[Node]) -> None:
    code = "import ray; ray.__version__ = '2.0.0'; from dreamfusion_engine.batch.ray_cluster import connect; "
    code += f"connect('127.0.0.1:{port}')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=PATIENCE
    )
    assert run.returncode and "The Ray cluster is of another version." in run.stderr
    assert "this environment has Ray 2.0.0" in run.stderr
