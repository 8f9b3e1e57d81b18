"""Jobs of a client on a real Ray cluster of two nodes on the loopback: at once, moved where a node dies, lost with it.

Of: dreamfusion_engine/batch/serve_cluster.py, dreamfusion_engine/batch/serve_node.py.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from reference.cluster_client import ClusterClient
from reference.ray_nodes import OPEN, Node, free_port

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
]


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def nodes(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """The head and another one."""
    found: list[Node] = []
    for name in ("head", "second"):
        cache = tmp_path_factory.mktemp(name)
        found.append(Node(port, head=name == "head", cache=cache, DREAMFUSION_FAKE_STEP_S="0.05"))
    yield found
    for node in reversed(found):
        node.kill()


@pytest.fixture
def talk(tmp_path: Path, port: int, nodes: list[Node], monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterClient]:
    for name, value in OPEN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("FAKE_CLUSTER", raising=False)
    with ClusterClient(tmp_path, f"127.0.0.1:{port}") as client:
        yield client


def test_two_nodes_take_a_job_each_and_the_results_are_here(talk: ClusterClient) -> None:
    cluster = talk.hello()["devices"]["cluster"]
    assert cluster["places"] == 2 and len(cluster["machines"]) == 2
    for name in ("one", "two"):
        talk.ask(name, steps=100)
    begun = {talk.wait_for("started").message["id"] for _ in range(2)}
    assert begun == {"one", "two"}
    results = {frame.message["id"]: frame for frame in (talk.wait_for("result"), talk.wait_for("result"))}
    for name in ("one", "two"):
        assert (talk.folder / name / "mesh.glb").read_bytes() == results[name].data != b""


def test_a_job_is_cancelled_with_its_checkpoint_and_goes_on_from_it(talk: ClusterClient) -> None:
    talk.hello()
    talk.ask("one", steps=400)
    talk.until(lambda message: message["type"] == "progress" and message["step"] >= 20)
    talk.send("cancel", id="one")
    talk.wait_for("cancelled", "one")
    kept = talk.saved("one")
    assert 20 <= kept < 400
    talk.ask("more", steps=400, output="one", resume=True)
    assert talk.wait_for("progress", "more").message["step"] > kept
    talk.send("finish", id="more")
    assert talk.wait_for("result", "more").data


def test_the_job_of_a_node_that_is_killed_goes_on_at_the_other(talk: ClusterClient, nodes: list[Node]) -> None:
    talk.hello()
    for name in ("one", "two"):
        talk.ask(name, steps=2000)
    begun = {talk.wait_for("started").message["id"] for _ in range(2)}
    assert begun == {"one", "two"}
    while min(talk.saved("one"), talk.saved("two")) < 10:
        talk.next()
    nodes.pop().kill()
    moved = talk.until(lambda message: message["type"] == "note" and "goes on from its last" in message["text"])["id"]
    (stays,) = begun - {moved}
    talk.send("finish", id=stays)
    talk.wait_for("result", stays)
    kept = talk.saved(moved)
    assert talk.wait_for("progress", moved).message["step"] > kept >= 10
    talk.send("finish", id=moved)
    assert talk.wait_for("result", moved).data


def test_a_head_that_is_killed_is_told_to_every_job(talk: ClusterClient, nodes: list[Node]) -> None:
    talk.hello()
    talk.ask("one", steps=4000)
    talk.wait_for("started", "one")
    nodes.pop(0).kill()
    assert talk.wait_for("failed", "one").message["code"] == "run.cluster_gone"
    assert talk.wait_end() != 0
