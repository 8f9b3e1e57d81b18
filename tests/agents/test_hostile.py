"""Clients that send garbage, flood, leave or are killed, and engines that die: nothing is lost, the run can be resumed.

Of: dreamfusion_engine/agents/stdio.py, dreamfusion_engine/agents/engine.py, dreamfusion_engine/agents/server.py.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from reference.agent_client import PATIENCE, AgentClient

from dreamfusion_engine.agents.stdio import COMPLAINTS, LONGEST_ID, UNANSWERED
from dreamfusion_engine.wire.protocol import LINE_LIMIT

unix = pytest.mark.skipif(os.name == "nt", reason="The signal is Unix's")
# Writes down every use of the network by this process and those that it starts.
WATCH_NETWORK = """
import os, sys
def note(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"):
        with open(os.environ["NETWORK_LOG"], "a") as log:
            log.write(f"{event} {arguments[1:]}\\n")
sys.addaudithook(note)
"""


def engine_of(client: AgentClient) -> psutil.Process:
    """The engine's process of a server."""
    (engine,) = psutil.Process(client.process.pid).children()
    return engine


def wait_for_end(process: psutil.Process) -> None:
    end = time.monotonic() + PATIENCE
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.02)


def steps_in(folder: Path) -> int:
    step: int = json.loads((folder / "checkpoint" / "checkpoint.json").read_text())[0]
    return step


GARBAGE: list[tuple[str, bytes]] = [
    ("no JSON", b"hello?\n"),
    ("not UTF-8", b"\xff\xfe\x00\n"),
    ("very deep", b"[" * 100_000 + b"\n"),
    ("a huge number", b'{"jsonrpc": "2.0", "id": ' + b"9" * 5000 + b', "method": "ping"}\n'),
    ("not finite", b'{"jsonrpc": "2.0", "id": NaN, "method": "ping"}\n'),
    ("half a character", b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}\n'),
    ("a very long line", b'{"x": "' + b"y" * (2 * LINE_LIMIT) + b'"}\n'),
]


@pytest.mark.parametrize("line", [line for _, line in GARBAGE], ids=[name for name, _ in GARBAGE])
def test_garbage_is_answered_and_passed_over(client: AgentClient, line: bytes) -> None:
    before = len(client.complaints)
    client.raw(line)
    assert client.ask("ping")["result"] is not None
    assert len(client.complaints) == before + 1
    assert client.complaints[-1]["error"]["code"] == -32700 and client.complaints[-1].get("id") is None


OTHERS: list[tuple[str, object]] = [
    ("[1, 2, 3]", None),
    ('{"jsonrpc": "2.0"}', None),
    ('{"jsonrpc": "1.0", "id": "v1", "method": "ping"}', "v1"),
    ('{"jsonrpc": "2.0", "id": 9000, "method": 1}', 9000),
    ('{"jsonrpc": "2.0", "id": "p", "method": "ping", "params": 3}', "p"),
    ('{"jsonrpc": "2.0", "id": true, "method": 1}', None),
    ('{"jsonrpc": "2.0", "id": {"a": 1}, "method": "ping"}', None),
    ('{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}', None),
    ('{"jsonrpc": "2.0", "id": null, "method": "ping"}', None),
    ('{"jsonrpc": "2.0", "id": "' + LONGEST_ID * "i" + 'i", "method": 1}', None),
    ('{"jsonrpc": "2.0", "id": "answer", "error": 4}', None),
]


@pytest.mark.parametrize(("line", "name"), OTHERS, ids=[line[:60] for line, _ in OTHERS])
def test_json_that_is_no_message_is_answered_by_its_id_where_it_has_one(
    client: AgentClient, line: str, name: object
) -> None:
    """As JSON-RPC 2.0 says: null stands where the id could not be found out."""
    before = len(client.complaints)
    client.raw(line.encode() + b"\n")
    assert client.ask("ping")["result"] is not None
    (said,) = client.complaints[before:]
    assert said["error"]["code"] == -32600 and said["id"] == name


def test_requests_that_are_none_take_no_room_of_others(client: AgentClient) -> None:
    for _ in range(UNANSWERED + 5):
        client.raw(b'{"jsonrpc": "2.0", "id": "x", "method": 1}\n')
        assert client.ask("ping")["result"] is not None


def test_a_flood_of_garbage_is_no_flood_of_answers(client: AgentClient) -> None:
    before = len(client.complaints)
    client.raw(b"hello?\n" * 5000)
    client.ask("ping")
    assert len(client.complaints) == before + COMPLAINTS


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("nothing/here", {}),
        ("tools/call", {}),
        ("tools/call", {"name": 3}),
        ("tools/call", {"name": "watch", "arguments": []}),
        ("resources/read", {"uri": "file:///etc/passwd"}),
        ("prompts/get", {"name": "x"}),
    ],
)
def test_a_request_that_cannot_be_is_an_error_of_the_protocol(
    client: AgentClient, method: str, params: dict[str, object]
) -> None:
    said = client.ask(method, **params)
    assert "error" in said and "Traceback" not in json.dumps(said)


def test_a_flood_of_requests_waits_in_the_pipe_and_all_are_answered(client: AgentClient) -> None:
    """The client asks without reading, far more than are taken at once; then it reads."""
    run = client.made("a red mug", steps=100_000)
    client.reads.clear()
    numbers = [client.begin_call("watch", {"run": run, "seconds": 0}) for _ in range(5 * UNANSWERED)]
    client.reads.set()
    for number in numbers:
        assert client.answer(number)["result"]["structuredContent"]["run"] == run
    assert client.call("cancel", run=run)["state"] == "cancelled"


def test_calls_that_the_client_gives_up_on_make_room_for_others(client: AgentClient) -> None:
    """Given up, a call is never answered; the run goes on."""
    run = client.made("a red mug", steps=100_000, seed=1)
    client.wait_until_training(run)
    for _ in range(3):
        numbers = [client.begin_call("watch", {"run": run, "seconds": 60}) for _ in range(UNANSWERED - 1)]
        for number in numbers:
            client.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})
    assert client.call("watch", run=run, seconds=0)["state"] == "running"
    assert client.call("cancel", run=run)["state"] == "cancelled"


@pytest.mark.slow
def test_runs_that_nobody_waits_for_are_bounded(client: AgentClient) -> None:
    first = client.made("a red mug", steps=100_000, seed=2)
    made = [first]
    refused: dict[str, object] = {}
    while not refused:
        said = client.call(
            "generate", prompt="a mug", model="model", settings={"optimize": {"steps": 5}}, seed=len(made)
        )
        made, refused = ([*made, said["run"]], {}) if not said["error"] else (made, said)
    assert refused["code"] == "protocol.full" and len(made) == 20
    for run in reversed(made):
        assert client.call("cancel", run=run)["state"] == "cancelled"


@unix
@pytest.mark.slow
@pytest.mark.parametrize("how", ["leaves", "is killed with its server"])
def test_a_client_that_goes_stops_its_run_which_another_one_resumes(how: str, folder: Path, tmp_path: Path) -> None:
    with AgentClient(folder, tmp_path / "first.txt") as client:
        run = client.made("a red mug", steps=1000, seed=7 if how == "leaves" else 8)
        client.wait_until_training(run)
        engine = engine_of(client)
        if how == "leaves":
            client.stdin.close()
            assert client.process.wait(timeout=PATIENCE) == 0
        else:
            os.kill(client.process.pid, signal.SIGKILL)
        wait_for_end(engine)
    stopped = steps_in(folder / run)
    assert 0 < stopped < 1000 and "Traceback" not in (tmp_path / "first.txt").read_text()
    with AgentClient(folder, tmp_path / "second.txt") as other:
        assert {"run": run, "state": "stopped"} in other.call("list_runs")["runs"]
        assert other.call("watch", run=run, seconds=0)["state"] == "stopped"
        assert other.call("result", run=run)["code"] == "input.unfinished"
        other.call("resume", run=run)
        assert other.watched(run)["state"] == "done"


@unix
@pytest.mark.slow
def test_an_engine_that_dies_fails_its_run_which_goes_on_in_a_new_one(folder: Path, tmp_path: Path) -> None:
    with AgentClient(folder, tmp_path / "log.txt") as client:
        run = client.made("a red mug", steps=400, seed=9)
        client.wait_until_training(run)
        while not (folder / run / "checkpoint" / "checkpoint.json").is_file():
            client.call("watch", run=run, seconds=0)
        engine_of(client).kill()
        said = client.watched(run)
        assert said["state"] == "failed" and said["messages"][-1]["code"] == "run.engine_gone"
        assert "resume" in said["messages"][-1]["fix"]
        client.call("resume", run=run)
        assert client.watched(run)["state"] == "done"


@pytest.mark.slow
@unix
def test_a_client_that_reads_no_more_ends_the_server_when_it_leaves(folder: Path, tmp_path: Path) -> None:
    with AgentClient(folder, tmp_path / "log.txt") as client:
        client.reads.clear()  # or the pipe cannot be closed
        client.ask("ping")
        client.stdout.close()
        client.raw(b'{"jsonrpc": "2.0", "id": 999, "method": "tools/list", "params": {}}\n' * 50)
        client.stdin.close()
        assert client.process.wait(timeout=PATIENCE) == 0
        assert "Traceback" not in client.log.read_text()


@pytest.mark.slow
def test_nothing_is_asked_of_a_network(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH_NETWORK)
    log = tmp_path / "network.txt"
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([str(tmp_path), root])
    with AgentClient(folder, tmp_path / "log.txt", PYTHONPATH=path, NETWORK_LOG=str(log)) as client:
        assert client.call("generate", prompt="a mug", model="someone/not-here")["code"] == "model.not_downloaded"
        assert client.watched(client.made("a red mug", steps=5, seed=10))["state"] == "done"
        client.call("list_models")
    assert not log.exists(), log.read_text()
