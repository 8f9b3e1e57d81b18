"""The engine through a real process: whatever the client does, it answers or ends, and never hangs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.fake_engine import PNG
from reference.paper_model import write_paper_model
from reference.wire_client import FAKE_ENGINE, PATIENCE, Client

from dreamfusion_engine import __version__
from dreamfusion_engine.errors import LONGEST
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER
from dreamfusion_engine.wire.protocol import EVENTS, PROTOCOL_VERSION, Frame


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(tmp_path, model=write_paper_model(tmp_path / "model")) as engine:
        yield engine


@pytest.fixture
def greeted(client: Client) -> Client:
    client.hello()
    return client


@pytest.mark.slow
def test_hello_is_answered_with_version_devices_and_models(tmp_path: Path) -> None:
    command = [sys.executable, str(FAKE_ENGINE), "--real-devices"]
    with Client(tmp_path, command=command) as client:
        ready = client.hello()
    assert ready["devices"]["torch"] and ready["devices"]["cores"] >= 1
    assert ready["protocol"] == PROTOCOL_VERSION and ready["engine"] == __version__
    assert ready["pid"] == client.process.pid
    assert [device["name"] for device in ready["devices"]["devices"]][0] == "cpu"
    assert all(model["name"] for model in ready["models"])


def test_another_protocol_version_is_refused_with_both_numbers(client: Client) -> None:
    client.send("hello", protocol=PROTOCOL_VERSION + 1)
    failed = client.wait_for("failed").message
    assert failed["code"] == "protocol.version" and failed["id"] is None
    assert str(PROTOCOL_VERSION) in failed["why"] and str(PROTOCOL_VERSION + 1) in failed["why"]


def test_nothing_is_done_before_hello(client: Client) -> None:
    client.generate("a", "a mug")
    assert client.wait_for("failed").message["code"] == "protocol.hello"


def test_a_job_reports_and_ends_in_its_mesh(greeted: Client, tmp_path: Path) -> None:
    greeted.generate("a", "a red mug", steps=20)
    queued = greeted.next()
    assert queued is not None and queued.message == {
        "type": "queued",
        "ahead": 0,
        "output": str(tmp_path / "outputs" / "a-red-mug-0"),
        "id": "a",
    }
    frames = [greeted.next()]
    while frames[-1] is not None and frames[-1].message["type"] != "result":
        frames.append(greeted.next())
    messages = [frame.message for frame in frames if frame is not None]
    assert {message["id"] for message in messages} == {"a"}
    assert messages[0]["type"] == "started"
    assert [m["step"] for m in messages if m["type"] == "progress"] == list(range(1, 21))
    previews = [frame for frame in frames if frame is not None and frame.message["type"] == "preview"]
    assert [frame.data for frame in previews] == [PNG, PNG]
    assert {m["code"] for m in messages if m["type"] == "note"} == {"health.flat"}
    assert frames[-1] is not None
    assert frames[-1].data == (tmp_path / "outputs/a-red-mug-0/mesh.glb").read_bytes()
    assert messages[-1]["report"] == {"prompt": "a red mug", "seed": 0, "steps": 20, "psnr": None}


def test_prints_of_libraries_stay_off_the_wire(greeted: Client) -> None:
    greeted.generate("a", "a noisy mug")
    assert greeted.wait_for("result").data.startswith(b"glTF")
    said = greeted.log.read_text()
    assert "a stray print\n" in said and "a stray print from C" in said


def test_two_jobs_run_one_after_another(greeted: Client) -> None:
    greeted.generate("a", "a mug", steps=40)
    greeted.generate("b", "a chair", steps=10)
    order: list[Any] = []
    ahead: list[Any] = []
    while len(order) < 4:
        frame = greeted.next()
        assert frame is not None
        if frame.message["type"] == "queued":
            ahead.append(frame.message["ahead"])
        if frame.message["type"] in ("started", "result"):
            order.append((frame.message["type"], frame.message["id"]))
    assert ahead == [0, 1]
    assert order == [("started", "a"), ("result", "a"), ("started", "b"), ("result", "b")]


def test_a_running_job_is_cancelled_and_resumes_to_the_same_mesh(greeted: Client) -> None:
    greeted.generate("whole", "a mug", steps=60, output=str(greeted.log.parent / "whole"))
    whole = greeted.wait_for("result").data
    folder = str(greeted.log.parent / "broken")
    greeted.generate("first", "a mug", steps=60, output=folder)
    greeted.wait_for("preview", "first")
    greeted.send("cancel", id="first")
    cancelled = greeted.wait_for("cancelled", "first").message
    assert "Stopped at step" in cancelled["what"]
    greeted.generate("second", "a mug", steps=60, output=folder, resume=True)
    assert greeted.wait_for("progress", "second").message["step"] > 10
    assert greeted.wait_for("result", "second").data == whole


def test_a_waiting_job_is_cancelled_at_once_and_never_begins(greeted: Client) -> None:
    greeted.generate("a", "a mug", steps=200)
    greeted.generate("b", "a chair")
    greeted.generate("c", "a car", steps=5)
    greeted.send("cancel", id="b")
    greeted.wait_for("cancelled", "b")
    greeted.send("finish", id="a")
    started = []
    while True:
        frame = greeted.next()
        assert frame is not None
        if frame.message["type"] == "started":
            started.append(frame.message["id"])
        if frame.message["type"] == "result" and frame.message["id"] == "c":
            break
    assert "b" not in started


def test_a_late_cancel_is_ignored_and_does_not_touch_the_next_job(greeted: Client) -> None:
    greeted.generate("a", "a mug", steps=3)
    greeted.wait_for("result", "a")
    greeted.send("cancel", id="a")
    greeted.generate("b", "a chair", steps=3)
    frame = greeted.next()
    assert frame is not None and frame.message["type"] == "queued"
    greeted.wait_for("result", "b")


def test_finish_makes_the_mesh_from_what_there_is(greeted: Client) -> None:
    greeted.generate("a", "a mug", steps=100_000)
    greeted.wait_for("preview")
    greeted.send("finish", id="a")
    assert greeted.wait_for("result").message["report"]["steps"] < 100_000


def test_pause_holds_a_job_until_it_is_resumed(greeted: Client) -> None:
    greeted.generate("a", "a mug", steps=50)
    greeted.wait_for("progress")
    greeted.send("pause", id="a")
    greeted.wait_for("paused", "a")
    pulse = greeted.frames.get(timeout=PATIENCE)
    assert isinstance(pulse, Frame) and pulse.message["type"] == "heartbeat", "seconds later, and no step was made"
    greeted.send("resume", id="a")
    frame = greeted.next()
    assert frame is not None and frame.message == {"type": "resumed", "id": "a"}
    greeted.wait_for("result")


def test_a_paused_job_can_be_cancelled(greeted: Client) -> None:
    greeted.generate("a", "a mug", steps=100_000)
    greeted.wait_for("progress")
    greeted.send("pause", id="a")
    greeted.wait_for("paused")
    greeted.send("cancel", id="a")
    greeted.wait_for("cancelled", "a")


def test_a_busy_engine_shows_its_pulse_even_while_a_step_hangs(greeted: Client) -> None:
    greeted.generate("a", "a stuck mug", steps=50)
    greeted.generate("b", "a chair")
    while True:
        frame = greeted.frames.get(timeout=PATIENCE)
        assert frame is not None and not isinstance(frame, Exception)
        if frame.message["type"] == "heartbeat" and frame.message["queued"] == 1:
            break
    assert frame.message["id"] == "a"


@pytest.mark.parametrize(
    ("prompt", "fields", "code"),
    [
        ("", {}, "input.prompt_empty"),
        ("x" * 10_000, {}, "input.prompt_long"),
        ("a mug", {"preset": "ultra"}, "input.preset"),
        ("a mug", {"settings": {"optimize": {"steps": 0}}}, "input.setting"),
        ("a mug", {"settings": {"mesh": {"txture": 1}}}, "input.unknown_setting"),
        ("a mug", {"settings": {"device": "quantum"}}, "input.device"),
        ("a mug", {"settings": {"model": "/no/such/folder"}}, "model.missing"),
        ("a mug", {"output": str(FAKE_ENGINE)}, "input.output_file"),
        ("a mug", {"output": "x" * 300}, "input.output"),
        ("a mug", {"output": "a\0b"}, "input.output"),
        ("a mug", {"output": "~no-such-user/x"}, "input.output"),
        ("a mug", {"settings": {"model": "a\0b"}}, "model.missing"),
        ("a mug", {"settings": {"prompt": {}}}, "input.setting"),
        ("a mug", {"settings": {"preset": {}}}, "input.setting"),
        ("a mug", {"settings": {"optimize": {"learning_rate": 10**400}}}, "protocol.json"),
        ("a mug", {"settings": [1]}, "protocol.field"),
    ],
)
def test_a_bad_request_fails_at_once_under_its_id_while_another_runs(
    greeted: Client, prompt: str, fields: dict[str, object], code: str
) -> None:
    greeted.generate("running", "a mug", steps=100_000)
    greeted.wait_for("progress")
    greeted.send("generate", **{"id": "bad", "prompt": prompt, "settings": {"model": str(greeted.model)}, **fields})
    failed = greeted.wait_for("failed").message
    assert (failed["id"], failed["code"]) == ("bad", code)
    assert failed["what"] and failed["why"] and failed["fix"]
    greeted.wait_for("progress", "running")


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("empty", "run.empty"),
        ("memory", "run.out_of_memory"),
        ("full", "input.disk_full"),
        ("crash", "internal.bug"),
    ],
)
def test_a_failed_job_says_why_and_the_next_one_runs(greeted: Client, word: str, code: str) -> None:
    greeted.generate("a", f"a {word} mug")
    failed = greeted.wait_for("failed").message
    assert (failed["id"], failed["code"]) == ("a", code)
    greeted.generate("b", "a chair", steps=3)
    greeted.wait_for("result", "b")


def test_garbage_is_answered_once_a_line_and_the_conversation_goes_on(greeted: Client) -> None:
    greeted.send_raw(b"GET / HTTP/1.1\n" + b'{"type": "explode"}\n' + b"\x00\xff\xfe\n")
    codes = [greeted.wait_for("failed").message["code"] for _ in range(3)]
    assert codes == ["protocol.json", "protocol.unknown", "protocol.json"]
    greeted.send_raw(b"y" * 1_200_000 + b"\n")
    assert greeted.wait_for("failed").message["code"] == "protocol.line_long"
    greeted.generate("a", "a mug", steps=3)
    greeted.wait_for("result")


def test_a_flood_of_garbage_does_not_become_a_flood_of_answers(greeted: Client) -> None:
    greeted.send_raw(b"garbage\n" * 20_000)
    greeted.generate("a", "a mug", steps=3)
    failed = 0
    while True:
        frame = greeted.next()
        assert frame is not None
        failed += frame.message["type"] == "failed"
        if frame.message["type"] == "result":
            break
    assert 1 <= failed <= 10


def test_an_unknown_or_used_job_id_is_refused_and_harms_nobody(greeted: Client) -> None:
    greeted.send("cancel", id="nobody")
    assert greeted.wait_for("failed").message["code"] == "protocol.id"
    greeted.generate("a", "a mug", steps=100)
    greeted.generate("a", "a chair", steps=3)
    failed = greeted.wait_for("failed").message
    assert (failed["id"], failed["code"]) == (None, "protocol.id")
    assert greeted.wait_for("result", "a").message["report"]["prompt"] == "a mug"


def test_models_and_devices_can_be_asked_again(greeted: Client) -> None:
    greeted.send("devices")
    assert greeted.wait_for("devices").message["devices"]["default"]


def test_questions_that_wait_are_answered_once(greeted: Client) -> None:
    """Two thousand in a row once kept the next run waiting for a minute."""
    greeted.generate("a", "a mug", steps=100_000)
    greeted.wait_for("progress")
    greeted.send_raw(b'{"type": "models"}\n' * 2000)
    greeted.send("finish", id="a")
    greeted.wait_for("result")
    greeted.send("devices")
    kinds: list[str] = []
    while not kinds or kinds[-1] != "devices":
        frame = greeted.next()
        assert frame is not None
        kinds.append(frame.message["type"])
    assert 1 <= kinds.count("models") <= 2, "and once more where the device's speed has become known meanwhile"


def test_a_payload_that_no_command_has_is_refused(greeted: Client) -> None:
    greeted.send_raw(b'{"type": "models", "bytes": 300000}\n' + b"x" * 300_000)
    assert greeted.wait_for("failed").message["code"] == "protocol.bytes"
    greeted.send("devices")
    assert greeted.wait_for("devices")


def test_texts_of_any_length_are_answered_in_lines_that_a_client_takes(greeted: Client) -> None:
    long = "\u00fc" * 150_000
    answers = []
    for fields in (
        {"id": "a", "settings": {long: 1}},
        {"id": "b", "settings": {"optimize": {"steps": long}}},
        {"id": "c", "settings": {"model": long}},
        {"id": "d", "preset": long},
        {"id": "e", "prompt": long},
        {"id": "f", "settings": {"seed": "x" * 450_000}},
        {"id": long},
    ):
        greeted.send("generate", **{"prompt": "a mug", **fields})
        failed = greeted.wait_for("failed").message
        answers.append(failed["id"])
        assert max(len(failed[name]) for name in ("what", "why", "fix")) <= LONGEST + 3
    greeted.send("cancel", id=long)
    answers.append(greeted.wait_for("failed").message["id"])
    assert answers == ["a", "b", "c", "d", "e", "f", None, None]


def test_the_engine_greets_whatever_lies_in_the_cache_and_whatever_the_token_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    for number in range(3):
        folder = cache / f"models--someone--bad{number}" / "snapshots" / ("a" * 40)
        shutil.copytree(STARTER_FOLDER, folder)
        (folder.parents[1] / "refs").mkdir()
        (folder.parents[1] / "refs" / "main").write_text("a" * 40)
        card = folder / "dreamfusion.json"
        values = json.loads(card.read_text())
        texts = ["[" * 100_000, json.dumps({**values, "examples": ["x"] * 200_000}), json.dumps({"a": "\ud800"})]
        card.write_text(texts[number])
    (cache / os.fsdecode(b"models--someone--\xff") / "snapshots").mkdir(parents=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HF_TOKEN", "two words")
    with Client(tmp_path) as client:
        ready = client.hello()
    assert [line["name"] for line in ready["models"]] == ["starter"]
    broken = {line["name"]: line["trouble"]["code"] for line in ready["suggestions"] if line["state"] == "broken"}
    assert broken == {f"someone/bad{number}": "model.card" for number in range(3)}


def test_models_that_the_client_has_as_folders_are_answered_with_every_list(greeted: Client, tmp_path: Path) -> None:
    folder, absent = str(greeted.model), str(tmp_path / "absent")
    greeted.send("models", given=[{"model": folder}, {"model": absent, "base": ""}])
    for _ in range(2):
        lines = greeted.wait_for("models").message["given"]
        assert [(line["name"], line["state"]) for line in lines] == [(folder, "given"), (absent, "broken")]
        assert lines[0]["recipe"]["settings"]["standard"]["guidance.scale"] == 20.0
        assert lines[0]["recipe"]["scores"]["vsd"]["guidance.scale"] == 7.5 and lines[0]["adapters"] == []
        assert lines[1]["trouble"]["code"] == "model.missing"
        greeted.send("models")


@pytest.mark.parametrize("given", [[3], [{}], [{"model": " "}], [{"model": "a", "base": 3}], [{"model": "a"}] * 25])
def test_a_question_about_no_models_is_refused(greeted: Client, given: list[object]) -> None:
    greeted.send("models", given=given)
    assert greeted.wait_for("failed").message["code"] == "protocol.field"
    greeted.send("models")
    assert "given" not in greeted.wait_for("models").message


def test_the_list_comes_again_once_when_the_speed_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREAMFUSION_CACHE", str(tmp_path / "cache"))
    command = [sys.executable, str(FAKE_ENGINE), "--real-devices"]

    def told(message: dict[str, Any]) -> float:
        starter = next(line for line in message["models"] if line["name"] == "starter")
        return float(starter["estimates"]["standard"]["seconds"])

    with Client(tmp_path, command=command) as client:
        assert told(client.hello()) == 0.0, "nothing is known of this machine yet"
        assert told(client.wait_for("models").message) > 0.0
        client.send("devices")
        assert client.next_type() == "devices"
        client.send("shutdown")
        assert client.next_type() == "bye"
    with Client(tmp_path, command=command) as client:
        assert told(client.hello()) > 0.0
        client.send("devices")
        assert client.next_type() == "devices"
        client.send("shutdown")
        assert client.next_type() == "bye", "the first list had the times"


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


def test_the_end_of_input_keeps_a_checkpoint_and_ends_the_process(greeted: Client, tmp_path: Path) -> None:
    greeted.generate("a", "a mug", steps=100_000)
    greeted.wait_for("preview")
    greeted.stdin.close()
    assert greeted.wait_end() == 0
    step, _ = json.loads((tmp_path / "outputs/a-mug-0/checkpoint.json").read_text())
    assert step >= 10


def test_an_idle_engine_ends_with_its_input(client: Client) -> None:
    client.stdin.close()
    assert client.wait_end() == 0


def test_an_input_that_ends_in_the_middle_of_a_message_ends_the_process(greeted: Client) -> None:
    greeted.send_raw(b'{"type": "models", "bytes": 100}\nabc')
    greeted.stdin.close()
    assert greeted.wait_for("failed").message["code"] == "protocol.truncated"
    assert greeted.wait_end() == 0


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
    assert (tmp_path / "dead/a-mug-0/checkpoint.json").is_file()


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


def test_a_killed_engine_is_seen_as_the_end_of_the_stream(greeted: Client) -> None:
    greeted.generate("a", "a mug", steps=100_000)
    greeted.wait_for("progress")
    greeted.process.kill()
    assert greeted.wait_end() != 0


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_the_conversation_as_shutdown_does(greeted: Client, tmp_path: Path, name: str) -> None:
    greeted.generate("a", "a mug", steps=100_000)
    greeted.wait_for("preview")
    greeted.process.send_signal(signal.Signals[name])
    greeted.wait_for("cancelled", "a")
    greeted.wait_for("bye")
    assert greeted.process.wait(timeout=PATIENCE) == 0
    assert (tmp_path / "outputs/a-mug-0/checkpoint.json").is_file()


def test_every_event_name_of_the_table_is_documented_once() -> None:
    assert len(EVENTS) == len(set(EVENTS)) and "failed" in EVENTS and "bye" in EVENTS
