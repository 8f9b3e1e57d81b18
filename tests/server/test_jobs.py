"""Jobs through a real process: begun, paused, finished, cancelled, refused and failed.

Of: dreamfusion_engine/server/server.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.fake_engine import PNG
from reference.wire_client import FAKE_ENGINE, PATIENCE, Client

from dreamfusion_engine.wire.protocol import Frame


@pytest.mark.slow
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


@pytest.mark.slow
def test_prints_of_libraries_stay_off_the_wire(greeted: Client) -> None:
    greeted.generate("a", "a noisy mug")
    assert greeted.wait_for("result").data.startswith(b"glTF")
    said = greeted.log.read_text()
    assert "a stray print\n" in said and "a stray print from C" in said


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_late_cancel_is_ignored_and_does_not_touch_the_next_job(greeted: Client) -> None:
    greeted.generate("a", "a mug", steps=3)
    greeted.wait_for("result", "a")
    greeted.send("cancel", id="a")
    greeted.generate("b", "a chair", steps=3)
    frame = greeted.next()
    assert frame is not None and frame.message["type"] == "queued"
    greeted.wait_for("result", "b")


@pytest.mark.slow
def test_finish_makes_the_mesh_from_what_there_is(greeted: Client) -> None:
    greeted.generate("a", "a mug", steps=100_000)
    greeted.wait_for("preview")
    greeted.send("finish", id="a")
    assert greeted.wait_for("result").message["report"]["steps"] < 100_000


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_paused_job_can_be_cancelled(greeted: Client) -> None:
    greeted.generate("a", "a mug", steps=100_000)
    greeted.wait_for("progress")
    greeted.send("pause", id="a")
    greeted.wait_for("paused")
    greeted.send("cancel", id="a")
    greeted.wait_for("cancelled", "a")


@pytest.mark.slow
def test_a_busy_engine_shows_its_pulse_even_while_a_step_hangs(greeted: Client) -> None:
    greeted.generate("a", "a stuck mug", steps=50)
    greeted.generate("b", "a chair")
    while True:
        frame = greeted.frames.get(timeout=PATIENCE)
        assert frame is not None and not isinstance(frame, Exception)
        if frame.message["type"] == "heartbeat" and frame.message["queued"] == 1:
            break
    assert frame.message["id"] == "a"


@pytest.mark.slow
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


@pytest.mark.slow
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
