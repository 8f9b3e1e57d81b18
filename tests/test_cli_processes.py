"""Commands in a process of their own: what they print, and that they can be stopped, killed and resumed.

Of: dreamfusion_engine/cli.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from reference.paper_model import write_paper_model
from reference.wire_client import FAKE_ENGINE, PATIENCE

ROOT = FAKE_ENGINE.parents[2]
WORDS = ("a", "red", "mug", "hamburger", "crash", "memory", "full", "empty", "noisy")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_paper_model(tmp_path / "model", words=WORDS)


def start(*arguments: str, cwd: Path, **variables: str) -> subprocess.Popen[str]:
    """A command in a process of its own, with the counting run."""
    return subprocess.Popen(
        [sys.executable, str(FAKE_ENGINE), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


@pytest.mark.slow
def test_json_lines_are_all_there_is_on_standard_output(tmp_path: Path, model: Path) -> None:
    words = ("generate", "a noisy mug", "--model", str(model), "--steps", "10", "--json", "--output", "o")
    code, out, err = finished(start(*words, cwd=tmp_path))
    messages = [json.loads(line) for line in out.splitlines()]
    types = [message["type"] for message in messages]
    assert code == 0 and types.count("progress") == 10 and types[-1] == "result"
    assert {"preview", "mesh_preview", "note"} <= set(types)
    assert types[0] == "hello" and types.count("hello") == 1
    assert messages[1] == {
        "type": "progress",
        "stage": "train",
        "step": 1,
        "total": 10,
        "eta_s": 1.0,
        "rate": 100.0,
        "memory_mib": 12.5,
    }
    assert max(map(len, out.splitlines())) < 2000, "pictures are named, not printed"
    assert "a stray print from C" in err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
@pytest.mark.slow
@pytest.mark.parametrize("number", [getattr(signal, name, signal.SIGTERM) for name in ("SIGINT", "SIGTERM", "SIGHUP")])
def test_a_signal_keeps_a_checkpoint_and_the_printed_command_resumes_to_the_same_mesh(
    tmp_path: Path, model: Path, number: signal.Signals
) -> None:
    words = ("generate", "a red mug", "--model", str(model), "--steps", "150")
    assert finished(start(*words, "--output", "whole", cwd=tmp_path))[0] == 0
    process = start(*words, "--output", "broken", cwd=tmp_path)
    assert process.stderr is not None
    process.stderr.readline()  # the first line of progress: the run is on its way
    process.send_signal(number)
    code, out, err = finished(process)
    assert code == 130 and out == "" and "Traceback" not in err
    assert not (tmp_path / "broken" / "mesh.glb").exists()
    advice = err.strip().splitlines()[-1].strip()
    assert advice.startswith(f"{sys.executable} -m dreamfusion_engine generate 'a red mug'")
    again = shlex.split(advice)[3:]
    assert again[-1] == "--resume"
    assert finished(start(*again, cwd=tmp_path))[0] == 0
    assert (tmp_path / "broken" / "mesh.glb").read_bytes() == (tmp_path / "whole" / "mesh.glb").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    model = write_paper_model(tmp_path / "open")
    process = start("generate", "a stuck mug", "--model", str(model), cwd=tmp_path)
    assert process.stderr is not None
    process.stderr.readline()
    time.sleep(0.3)  # the run hangs right after its first step
    process.send_signal(signal.SIGINT)
    said = ""
    while "Press Ctrl-C again" not in said:
        said = process.stderr.readline()
        assert said, "the process ended without a word"
    process.send_signal(signal.SIGINT)
    code, _, err = finished(process)
    assert code == 130 and "Traceback" not in err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_run_resumes_from_its_last_checkpoint(tmp_path: Path, model: Path) -> None:
    words = ("generate", "a red mug", "--model", str(model), "--steps", "150", "--json", "--output", "o")
    process = start(*words, cwd=tmp_path)
    assert process.stdout is not None
    while '"preview"' not in process.stdout.readline():
        pass
    process.kill()
    finished(process)
    code, out, _ = finished(start(*words, "--resume", cwd=tmp_path))
    assert code == 0 and json.loads(out.splitlines()[1])["step"] > 10


@pytest.mark.slow
def test_a_reader_that_goes_away_cancels_the_run(tmp_path: Path, model: Path) -> None:
    words = ("generate", "a red mug", "--model", str(model), "--steps", "100000", "--json", "--output", "o")
    process = start(*words, cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=PATIENCE) == 130
    assert (tmp_path / "o" / "checkpoint" / "checkpoint.json").is_file()
    process.stderr.close()  # type: ignore[union-attr]
