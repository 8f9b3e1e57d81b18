"""The command `download` and the server's message of that name: progress, the end, and every refusal in words.

Of: dreamfusion_engine/cli, dreamfusion_engine/server/server.py, dreamfusion_engine/server/download_job.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.fake_hub import FakeHub, running_hub, tiny_files
from reference.wire_client import FAKE_ENGINE, PATIENCE, Client

from dreamfusion_engine import cli
from dreamfusion_engine.commands.console import progress_text
from dreamfusion_engine.events import Progress
from dreamfusion_engine.hub import transfer
from dreamfusion_engine.models.catalogue import catalogue

ROOT = FAKE_ENGINE.parents[2]
TOTAL = 9272  # bytes of what a run reads of the tiny model


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(transfer, "PAUSE_S", 0.001)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    with running_hub(FakeHub(files=tiny_files())) as started:
        monkeypatch.setenv("HF_ENDPOINT", started.address)
        yield started


def test_a_download_ends_with_its_folder_and_how_to_use_it(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["download", "someone/tiny"]) == 0
    said = capsys.readouterr()
    assert "every checksum is right" in said.out and "--model someone/tiny" in said.out and "openrail" in said.out
    assert "downloading" in said.err and "MB" in said.err
    folder = Path(said.out.splitlines()[1].strip())
    assert (folder / "model_index.json").is_file()
    hub.asked.clear()
    assert cli.main(["download", "someone/tiny", "--offline"]) == 0 and hub.asked == []


def test_a_damaged_file_is_noted_and_mended(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["download", "someone/tiny"])
    folder = Path(capsys.readouterr().out.splitlines()[1].strip())
    blob = (folder / "tokenizer" / "spiece.model").resolve()
    blob.write_bytes(b"?" * blob.stat().st_size)
    assert cli.main(["download", "someone/tiny"]) == 0
    assert "note: tokenizer/spiece.model is damaged and is downloaded again." in capsys.readouterr().err
    assert blob.read_bytes() == hub.files["tokenizer/spiece.model"]


def test_the_cache_can_be_another_folder(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", "unused")  # so that what the command sets is taken back after the test
    assert cli.main(["download", "someone/tiny", "--cache", str(tmp_path / "other")]) == 0
    assert (tmp_path / "other" / "models--someone--tiny").is_dir() and not (tmp_path / "cache").exists()


def test_json_tells_bytes_and_ends_with_the_folder(hub: FakeHub, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "dreamfusion_engine", "download", "someone/tiny", "--json"]
    run = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    messages = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0, run.stderr
    assert {message["type"] for message in messages} == {"hello", "progress", "downloaded"}
    assert messages[-2]["stage"] == "download" and messages[-2]["step"] == messages[-2]["total"] == TOTAL
    assert messages[-1]["model"] == "someone/tiny" and messages[-1]["size"] == TOTAL


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["someone/other"], "model.not_found", "models"),
        (["tiny"], "input.model", "not the id"),
        (["someone/tiny", "--revision", "a b"], "input.model", "revision"),
        (["someone/tiny", "--offline"], "model.offline", "--offline"),
    ],
)
def test_refusals_are_one_screen_with_exit_code_2(
    hub: FakeHub, capsys: pytest.CaptureFixture[str], words: list[str], code: str, told: str
) -> None:
    assert cli.main(["download", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and told in " ".join(said.split()) and len(said.splitlines()) < 12
    assert code == "input.model" or "fix:" in said


def test_a_withdrawn_model_names_its_copy(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    gone = next(model for model in catalogue() if model.access == "withdrawn")
    assert cli.main(["download", gone.id]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "withdrawn" in said and f"download {gone.instead}" in said


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_stops_keeps_what_came_and_the_printed_command_goes_on(hub: FakeHub, tmp_path: Path) -> None:
    hub.stop.set()
    program = [sys.executable, "-m", "dreamfusion_engine", "download", "someone/tiny"]
    process = subprocess.Popen(program, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while not any(one.path.startswith("/content/") for one in hub.asked):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and out == "" and "Traceback" not in err
    assert "what has arrived is kept" in err and err.strip().splitlines()[-1].endswith("download someone/tiny")
    hub.stop.clear()
    assert subprocess.run(program, cwd=ROOT, capture_output=True, timeout=PATIENCE).returncode == 0


def test_the_line_of_a_download_has_bytes_speed_and_the_time_left() -> None:
    event = Progress(stage="download", step=500_000_000, total=2_100_000_000, eta_s=160.0, rate=1e7, memory_mib=0.0)
    text = progress_text(event)
    assert "500/2,100 MB" in text and "10.0 MB/s" in text and "ETA 2:40" in text and "peak" not in text


@pytest.mark.slow
def test_the_server_downloads_beside_a_run_and_lists_the_model_then(hub: FakeHub, tmp_path: Path) -> None:
    with Client(tmp_path) as client:
        ready = client.hello()
        assert [line["name"] for line in ready["models"]] == ["starter"]
        offered = {line["name"]: line for line in ready["suggestions"]}
        assert catalogue()[0].id in offered and {line["fit"] for line in offered.values()} >= {"too large"}
        client.send("download", id="d", model="someone/tiny")
        progress = client.wait_for("progress").message
        assert progress["id"] == "d" and progress["stage"] == "download"
        done = client.wait_for("downloaded").message
        assert done["id"] == "d" and done["size"] == TOTAL
        client.send("download", id="d", model="someone/tiny")
        assert client.wait_for("failed").message["code"] == "protocol.id"
        client.send("models")
        listed = client.wait_for("models").message
        # Its weights are paper: it is here, and broken, which the list says at once.
        assert "someone/tiny" in {line["name"] for line in listed["suggestions"]}


@pytest.mark.slow
def test_a_download_of_the_server_is_cancelled_by_its_id_and_by_the_end(hub: FakeHub, tmp_path: Path) -> None:
    hub.stop.set()
    with Client(tmp_path) as client:
        client.hello()
        client.send("download", id="d", model="someone/tiny")
        while not any(one.path.startswith("/content/") for one in hub.asked):
            assert client.process.poll() is None
        client.send("cancel", id="d")
        assert client.wait_for("cancelled").message["id"] == "d"
        client.send("download", id="e", model="someone/nothing")
        failed = client.wait_for("failed").message
        assert (failed["id"], failed["code"]) == ("e", "model.not_found")
        client.send("download", id="f", model="someone/tiny")
        client.send("shutdown")
        assert client.process.wait(timeout=PATIENCE) == 0
