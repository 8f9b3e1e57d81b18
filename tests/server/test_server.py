"""The engine through a real process: whatever the client does, it answers or ends, and never hangs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from reference.wire_client import FAKE_ENGINE, Client

from dreamfusion_engine import __version__
from dreamfusion_engine.errors import LONGEST
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER
from dreamfusion_engine.wire.protocol import EVENTS, PROTOCOL_VERSION


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


@pytest.mark.slow
def test_another_protocol_version_is_refused_with_both_numbers(client: Client) -> None:
    client.send("hello", protocol=PROTOCOL_VERSION + 1)
    failed = client.wait_for("failed").message
    assert failed["code"] == "protocol.version" and failed["id"] is None
    assert str(PROTOCOL_VERSION) in failed["why"] and str(PROTOCOL_VERSION + 1) in failed["why"]


@pytest.mark.slow
def test_nothing_is_done_before_hello(client: Client) -> None:
    client.generate("a", "a mug")
    assert client.wait_for("failed").message["code"] == "protocol.hello"


@pytest.mark.slow
def test_garbage_is_answered_once_a_line_and_the_conversation_goes_on(greeted: Client) -> None:
    greeted.send_raw(b"GET / HTTP/1.1\n" + b'{"type": "explode"}\n' + b"\x00\xff\xfe\n")
    codes = [greeted.wait_for("failed").message["code"] for _ in range(3)]
    assert codes == ["protocol.json", "protocol.unknown", "protocol.json"]
    greeted.send_raw(b"y" * 1_200_000 + b"\n")
    assert greeted.wait_for("failed").message["code"] == "protocol.line_long"
    greeted.generate("a", "a mug", steps=3)
    greeted.wait_for("result")


@pytest.mark.slow
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


@pytest.mark.slow
def test_an_unknown_or_used_job_id_is_refused_and_harms_nobody(greeted: Client) -> None:
    greeted.send("cancel", id="nobody")
    assert greeted.wait_for("failed").message["code"] == "protocol.id"
    greeted.generate("a", "a mug", steps=100)
    greeted.generate("a", "a chair", steps=3)
    failed = greeted.wait_for("failed").message
    assert (failed["id"], failed["code"]) == (None, "protocol.id")
    assert greeted.wait_for("result", "a").message["report"]["prompt"] == "a mug"


@pytest.mark.slow
def test_models_and_devices_can_be_asked_again(greeted: Client) -> None:
    greeted.send("devices")
    assert greeted.wait_for("devices").message["devices"]["default"]


@pytest.mark.slow
def test_questions_that_wait_are_answered_once(greeted: Client) -> None:
    """Two thousand in a row once kept the next run waiting for a minute."""
    greeted.generate("a", "a mug", steps=100_000)
    greeted.wait_for("progress")
    greeted.send_raw(b'{"type": "models"}\n' * 2000)
    greeted.send("finish", id="a")
    greeted.wait_for("result")
    greeted.send("devices")
    types: list[str] = []
    while not types or types[-1] != "devices":
        frame = greeted.next()
        assert frame is not None
        types.append(frame.message["type"])
    assert 1 <= types.count("models") <= 2, "and once more where the device's speed has become known meanwhile"


@pytest.mark.slow
def test_a_payload_that_no_command_has_is_refused(greeted: Client) -> None:
    greeted.send_raw(b'{"type": "models", "bytes": 300000}\n' + b"x" * 300_000)
    assert greeted.wait_for("failed").message["code"] == "protocol.bytes"
    greeted.send("devices")
    assert greeted.wait_for("devices")


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("given", [[3], [{}], [{"model": " "}], [{"model": "a", "base": 3}], [{"model": "a"}] * 25])
def test_a_question_about_no_models_is_refused(greeted: Client, given: list[object]) -> None:
    greeted.send("models", given=given)
    assert greeted.wait_for("failed").message["code"] == "protocol.field"
    greeted.send("models")
    assert "given" not in greeted.wait_for("models").message


@pytest.mark.slow
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


def test_every_event_name_of_the_table_is_documented_once() -> None:
    assert len(EVENTS) == len(set(EVENTS)) and "failed" in EVENTS and "bye" in EVENTS
