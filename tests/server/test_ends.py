"""The engine's process ends with its conversation, however that ends, and keeps a checkpoint.

Of: dreamfusion_engine/server/server.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from reference.paper_model import write_paper_model
from reference.wire_client import FAKE_ENGINE, PATIENCE, Client

from dreamfusion_engine.wire.protocol import PROTOCOL_VERSION


@pytest.mark.slow
def test_shutdown_cancels_everything_says_bye_and_exits(greeted: Client) -> None:
    greeted.generate("a", "a mug", steps=100_000)
    greeted.generate("b", "a chair")
    greeted.wait_for("progress")
    greeted.send("shutdown")
    ends = []
    while (frame := greeted.next()) is not None:
        if frame.message["type"] in ("cancelled", "bye"):
            ends.append((frame.message["type"], frame.message.get("id")))
    assert sorted(ends[:-1]) == [("cancelled", "a"), ("cancelled", "b")] and ends[-1] == ("bye", None)
    assert greeted.process.wait(timeout=PATIENCE) == 0


@pytest.mark.slow
def test_the_end_of_input_keeps_a_checkpoint_and_ends_the_process(greeted: Client, tmp_path: Path) -> None:
    greeted.generate("a", "a mug", steps=100_000)
    greeted.wait_for("preview")
    greeted.stdin.close()
    assert greeted.wait_end() == 0
    step, _ = json.loads((tmp_path / "outputs/a-mug-0/checkpoint/checkpoint.json").read_text())
    assert step >= 10


@pytest.mark.slow
def test_an_idle_engine_ends_with_its_input(client: Client) -> None:
    client.stdin.close()
    assert client.wait_end() == 0


@pytest.mark.slow
def test_an_input_that_ends_in_the_middle_of_a_message_ends_the_process(greeted: Client) -> None:
    greeted.send_raw(b'{"type": "models", "bytes": 100}\nabc')
    greeted.stdin.close()
    assert greeted.wait_for("failed").message["code"] == "protocol.truncated"
    assert greeted.wait_end() == 0


@pytest.mark.slow
def test_a_dead_reader_ends_the_process_and_keeps_a_checkpoint(greeted: Client, tmp_path: Path) -> None:
    """The client's end of our output closes while its end of our input stays open, as after a half-dead ssh."""
    arguments = [sys.executable, str(FAKE_ENGINE), "serve", "--output-root", str(tmp_path / "dead")]
    environment = {**os.environ, "PYTHONPATH": str(FAKE_ENGINE.parents[2])}
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None and process.stdout is not None
        settings = {"model": str(greeted.model), "optimize": {"steps": 100_000}}
        for message in (
            {"type": "hello", "protocol": PROTOCOL_VERSION},
            {"type": "generate", "id": "a", "prompt": "a mug", "settings": settings},
        ):
            process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()
        while b'"progress"' not in process.stdout.readline():
            pass
        process.stdout.close()
        try:
            assert process.wait(timeout=PATIENCE) == 0
        finally:
            process.kill()
    assert (tmp_path / "dead/a-mug-0/checkpoint/checkpoint.json").is_file()


@pytest.mark.slow
def test_a_job_that_does_not_stop_is_ended_with_the_conversation(tmp_path: Path) -> None:
    """The watchdog, with its grace cut short: no orphan keeps the GPU."""
    code = (
        "import sys; from dreamfusion_engine.server import server\n"
        "server.GRACE_SECONDS = 0.5; server.device_report = dict\n"
        "from fakes.fake_engine import counting_generate; from dreamfusion_engine.cli import main\n"
        "sys.exit(main(sys.argv[1:], generate=counting_generate))"
    )
    script = tmp_path / "short_grace.py"
    script.write_text(f"import sys; sys.path.append({str(FAKE_ENGINE.parents[1])!r})\n{code}")
    model = write_paper_model(tmp_path / "model")
    with Client(tmp_path, model=model, command=[sys.executable, str(script)]) as client:
        client.hello()
        client.generate("a", "a stuck mug")
        client.wait_for("progress")
        time.sleep(0.3)  # the run hangs right after its first step
        client.stdin.close()
        assert client.wait_end() == 3


@pytest.mark.slow
def test_a_killed_engine_is_seen_as_the_end_of_the_stream(greeted: Client) -> None:
    greeted.generate("a", "a mug", steps=100_000)
    greeted.wait_for("progress")
    greeted.process.kill()
    assert greeted.wait_end() != 0


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_the_conversation_as_shutdown_does(greeted: Client, tmp_path: Path, name: str) -> None:
    greeted.generate("a", "a mug", steps=100_000)
    greeted.wait_for("preview")
    greeted.process.send_signal(signal.Signals[name])
    greeted.wait_for("cancelled", "a")
    greeted.wait_for("bye")
    assert greeted.process.wait(timeout=PATIENCE) == 0
    assert (tmp_path / "outputs/a-mug-0/checkpoint/checkpoint.json").is_file()
