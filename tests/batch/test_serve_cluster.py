"""Jobs of a client on a cluster that is played: by the real `serve`, several at once, steered, moved, lost.

Of: dreamfusion_engine/batch/serve_cluster.py, dreamfusion_engine/batch/serve_node.py.
"""

from __future__ import annotations

import importlib.util
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from reference.cluster_client import ClusterClient, Door
from reference.wire_client import Client

from dreamfusion_engine.wire.protocol import PROTOCOL_VERSION, Frame

pytestmark = pytest.mark.slow


@pytest.fixture
def door() -> Iterator[Door]:
    found = Door()
    yield found
    found.close()


@pytest.fixture
def talk(tmp_path: Path, door: Door, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterClient]:
    monkeypatch.setenv("FAKE_CLUSTER", str(tmp_path))
    monkeypatch.setenv("DREAMFUSION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DREAMFUSION_FAKE_STEP_S", "0.05")
    with ClusterClient(tmp_path, door.address) as client:
        yield client


def test_two_jobs_run_at_once_and_look_as_if_they_had_run_here(talk: ClusterClient) -> None:
    cluster = talk.hello()["devices"]["cluster"]
    assert cluster["places"] == 2 and len(cluster["machines"]) == 2 and cluster["left_out"] == []
    for name in ("one", "two"):
        talk.ask(name)
    seen: dict[str, list[str]] = {"one": [], "two": []}
    results: dict[str, Frame] = {}
    while len(results) < 2:
        frame = talk.next()
        assert frame is not None
        name, kind = str(frame.message.get("id")), frame.message["type"]
        if name in seen:
            seen[name].append(kind)
        if kind == "result":
            assert set(seen) == {key for key, kinds in seen.items() if "started" in kinds}, "one waited for the other"
            results[name] = frame
    for name, frame in results.items():
        assert frame.message["folder"] == str(talk.folder / name)
        assert Path(frame.message["files"]["mesh.glb"]).read_bytes() == frame.data != b""
        assert (talk.folder / name / "result.json").is_file() and talk.saved(name) == 30
        assert seen[name][0] == "queued" and {"preview", "mesh_preview", "progress", "note"} <= set(seen[name])
        assert seen[name].count("started") == seen[name].count("queued") == 1 and seen[name][-1] == "result"


def test_a_job_is_held_let_go_finished_early_and_resumed_where_it_was_stopped(talk: ClusterClient) -> None:
    talk.hello()
    talk.ask("one", steps=400)
    talk.until(lambda message: message["type"] == "progress" and message["step"] > 5)
    talk.send("pause", id="one")
    talk.wait_for("paused", "one")
    talk.send("resume", id="one")
    talk.wait_for("resumed", "one")
    talk.until(lambda message: message["type"] == "progress" and message["step"] >= 20)
    talk.send("cancel", id="one")
    talk.wait_for("cancelled", "one")
    assert 20 <= talk.saved("one") < 400, "its checkpoint came back"
    talk.ask("again", steps=400, resume=True)
    assert talk.wait_for("failed", "again").message["code"] == "checkpoint.missing"
    reached = talk.saved("one")
    talk.ask("more", steps=400, output="one", resume=True)
    assert talk.wait_for("progress", "more").message["step"] > reached
    talk.send("finish", id="more")
    assert talk.wait_for("result", "more").message["folder"] == str(talk.folder / "one")


def test_a_job_that_waits_for_room_can_be_cancelled(talk: ClusterClient) -> None:
    talk.hello()
    for name in ("one", "two", "three"):
        talk.ask(name, steps=4000)
    begun: set[str] = set()
    while len(begun) < 2:
        begun.add(talk.wait_for("started").message["id"])
    (waits,) = {"one", "two", "three"} - begun
    talk.send("cancel", id=waits)
    assert "had not begun" in talk.wait_for("cancelled", waits).message["why"]


def test_a_job_goes_on_elsewhere_from_its_checkpoint_where_its_machine_dies(talk: ClusterClient) -> None:
    talk.hello()
    talk.ask("one", steps=4000)
    where = talk.until(lambda message: message["type"] == "note" and "It runs on" in message["text"])["text"]
    talk.until(lambda message: message["type"] == "progress" and talk.saved("one") >= 20)
    kept = talk.saved("one")
    (talk.folder / ("first" if "10.0.0.0" in where else "second")).touch()
    talk.until(lambda message: message["type"] == "note" and "goes on from its last checkpoint" in message["text"])
    other = talk.until(lambda message: message["type"] == "note" and "It runs on" in message["text"])["text"]
    assert other != where
    message = talk.until(lambda message: message["type"] in ("progress", "started"))
    assert message["type"] == "progress" and message["step"] > kept
    talk.send("finish", id="one")
    assert talk.wait_for("result", "one").data


def test_a_job_that_fails_says_why_as_its_engine_does(talk: ClusterClient) -> None:
    talk.hello()
    talk.send("generate", id="bad", prompt="a mug", settings={"device": "cuda:1"})
    assert talk.wait_for("failed", "bad").message["code"] == "input.device"
    talk.send("generate", id="worse", prompt="a zebra")
    assert talk.wait_for("failed", "worse").message["code"] == "input.unknown_words"


def test_the_end_of_the_client_stops_every_job_with_a_checkpoint(talk: ClusterClient) -> None:
    talk.hello()
    talk.ask("one", steps=4000)
    talk.until(lambda message: message["type"] == "progress" and message["step"] >= 12)
    talk.send("shutdown")
    assert talk.wait_for("cancelled", "one") and talk.wait_end() == 0
    assert talk.saved("one") >= 10


def test_a_head_that_goes_away_is_told_to_every_job(talk: ClusterClient, door: Door) -> None:
    talk.hello()
    talk.ask("one", steps=4000)
    talk.wait_for("started", "one")
    door.close()
    failed = talk.wait_for("failed", "one").message
    assert failed["code"] == "run.cluster_gone" and "resume" in failed["fix"]
    assert talk.wait_end() == 75


def test_an_address_that_does_not_answer_and_a_name_that_is_none_are_told_at_the_greeting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_CLUSTER", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        shut = listening.getsockname()[1]
    for address, code in ((f"127.0.0.1:{shut}", "setup.cluster"), ("the cellar", "input.place")):
        with ClusterClient(tmp_path, address) as client:
            client.send("hello", protocol=PROTOCOL_VERSION)
            failed = client.wait_for("failed").message
            assert failed["id"] is None and failed["code"] == code and failed["fix"]


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_greeting_says_how_to_install_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dreamfusion_engine"]
    with Client(tmp_path, command=command, more=["--on", "ray"]) as client:
        client.send("hello", protocol=PROTOCOL_VERSION)
        failed = client.wait_for("failed").message
        assert failed["code"] == "setup.ray" and "pip install" in failed["fix"]
