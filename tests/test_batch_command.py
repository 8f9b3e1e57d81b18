"""The command `batch` in a process of its own, whose jobs only count: lists, resuming, Ctrl-C, killed workers.

Of: dreamfusion_engine/batch, dreamfusion_engine/cli/batch.py.
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
from typing import Any

import psutil
import pytest
from reference.paper_model import write_paper_model
from reference.wire_client import FAKE_ENGINE, PATIENCE, QUICK_ENGINE

pytestmark = pytest.mark.slow

ROOT = FAKE_ENGINE.parents[2]
PROMPTS = "a red mug\n# cars come later\na hamburger\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_paper_model(tmp_path / "model", words=("a", "red", "mug", "hamburger", "crash", "full"))


def words(model: Path, folder: Path, *more: str, steps: int = 60, prompts: str = PROMPTS) -> list[str]:
    (folder / "list.txt").write_text(prompts, encoding="utf-8")
    fixed = ["--output", "o", "--model", str(model), "--device", "cpu", f"--steps={steps}", *more]
    return [sys.executable, str(FAKE_ENGINE), "batch", "list.txt", *fixed]


def start(command: list[str], folder: Path, hold: Path | None = None) -> subprocess.Popen[str]:
    """Start a command. Jobs wait halfway for as long as there is a file `hold`."""
    if hold is not None:
        hold.touch()
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "FAKE_ENGINE_HOLD": str(hold or "")},
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def run(command: list[str], folder: Path) -> tuple[int, list[dict[str, Any]], str]:
    code, out, err = finished(start([*command, "--json"], folder))
    return code, [json.loads(line) for line in out.splitlines()], err


def meshes(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in sorted(folder.glob("*/mesh.glb"))}


def wait_for_job(folder: Path, name: str) -> psutil.Process:
    """The process of a job that has kept a checkpoint."""
    until = time.monotonic() + PATIENCE
    while not (folder / name / "checkpoint" / "checkpoint.json").is_file():
        assert time.monotonic() < until
        time.sleep(0.02)
    for process in psutil.process_iter(["cmdline"]):
        said = process.info["cmdline"] or []
        if "generate" in said and str(folder / name) in said:
            return process
    raise AssertionError(f"no process of {name}")


def test_every_prompt_and_seed_becomes_the_object_that_a_run_of_its_own_makes(tmp_path: Path, model: Path) -> None:
    code, said, _ = run(words(model, tmp_path, "--seeds", "0-1", "--jobs", "2"), tmp_path)
    assert code == 0
    found = meshes(tmp_path / "o")
    assert list(found) == ["a-hamburger-0", "a-hamburger-1", "a-red-mug-0", "a-red-mug-1"]
    alone = ["generate", "--seed=1", "--output=alone", f"--model={model}", "--device=cpu", "--steps=60"]
    assert finished(start([sys.executable, str(QUICK_ENGINE), *alone, "a hamburger"], tmp_path))[0] == 0
    assert found["a-hamburger-1"] == (tmp_path / "alone" / "mesh.glb").read_bytes()
    assert said[-1]["done"] == 4 and said[-1]["type"] == "batch" and not said[-1]["stopped"]
    began = [message["name"] for message in said if message["type"] == "batch_job" and message["state"] == "began"]
    assert sorted(began) == sorted(found)
    code, again, _ = run(words(model, tmp_path, "--seeds", "0-1", "--jobs", "2"), tmp_path)
    assert code == 0 and not [message for message in again if message["type"] == "batch_job"], "all was there"


def test_bad_lines_and_failed_objects_are_told_and_the_rest_is_made(tmp_path: Path, model: Path) -> None:
    prompts = "a red mug\na zebra\na crash\na red mug\na hamburger\n"
    code, said, _ = run(words(model, tmp_path, prompts=prompts), tmp_path)
    assert code == 3 and list(meshes(tmp_path / "o")) == ["a-hamburger-0", "a-red-mug-0"]
    left_out = [(message["line"], message["why"]) for message in said if message["type"] == "batch_line"]
    assert [line for line, _ in left_out] == [2, 4] and "zebra" in left_out[0][1]
    failed = next(message for message in said if message.get("state") == "failed")
    assert failed["prompt"] == "a crash" and failed["trouble"]["code"] == "internal.bug"
    prompts = "a red mug\na zebra\n"
    (tmp_path / "other").mkdir()
    code, out, err = finished(start(words(model, tmp_path / "other", prompts=prompts), tmp_path / "other"))
    assert code == 2 and "left out: line 2, 'a zebra'" in err and "1 line was left out" in err and out == ""
    assert "Traceback" not in err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_keeps_checkpoints_and_the_printed_command_goes_on_to_the_same_meshes(
    tmp_path: Path, model: Path
) -> None:
    (tmp_path / "whole").mkdir()
    assert run(words(model, tmp_path / "whole", steps=400), tmp_path / "whole")[0] == 0
    process = start(words(model, tmp_path, "--jobs", "2", steps=400), tmp_path, tmp_path / "hold")
    wait_for_job(tmp_path / "o", "a-red-mug-0")
    process.send_signal(signal.SIGINT)
    code, out, err = finished(process)
    assert code == 130 and out == "" and "Traceback" not in err
    assert meshes(tmp_path / "o") == {} and "2 wait" in err
    advice = err.strip().splitlines()[-1].strip()
    again = [sys.executable, str(FAKE_ENGINE), *shlex.split(advice)[3:]]
    assert finished(start(again, tmp_path))[0] == 0
    assert meshes(tmp_path / "o") == meshes(tmp_path / "whole" / "o")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_worker_goes_on_from_its_checkpoint(tmp_path: Path, model: Path) -> None:
    (tmp_path / "whole").mkdir()
    assert run(words(model, tmp_path / "whole", steps=400), tmp_path / "whole")[0] == 0
    hold = tmp_path / "hold"
    process = start([*words(model, tmp_path, "--jobs", "1", steps=400), "--json"], tmp_path, hold)
    wait_for_job(tmp_path / "o", "a-red-mug-0").kill()
    hold.unlink()
    code, out, _ = finished(process)
    said = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and meshes(tmp_path / "o") == meshes(tmp_path / "whole" / "o")
    assert any(message["type"] == "note" and "signal 9" in message["text"] for message in said)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_batch_leaves_no_run_behind_and_goes_on(tmp_path: Path, model: Path) -> None:
    process = start(words(model, tmp_path, "--jobs", "1", steps=400), tmp_path, tmp_path / "hold")
    worker = wait_for_job(tmp_path / "o", "a-red-mug-0")
    process.kill()
    finished(process)
    worker.wait(timeout=PATIENCE)  # nobody reads what it prints, so it stops with a checkpoint
    assert not (tmp_path / "o" / "a-red-mug-0" / "mesh.glb").exists()
    code, said, _ = run([*words(model, tmp_path, "--jobs", "2", steps=400)], tmp_path)
    assert code == 0 and len(meshes(tmp_path / "o")) == 2


def test_a_second_batch_and_another_one_are_refused_in_one_folder(tmp_path: Path, model: Path) -> None:
    process = start(words(model, tmp_path, "--jobs", "1", steps=400), tmp_path, tmp_path / "hold")
    wait_for_job(tmp_path / "o", "a-red-mug-0")
    code, _, err = finished(start(words(model, tmp_path, steps=400), tmp_path))
    assert code == 2 and "Another batch works in this folder" in err and f"process {process.pid}" in err
    process.terminate()
    finished(process)
    code, _, err = finished(start(words(model, tmp_path, steps=50), tmp_path))
    assert code == 2 and "another batch" in err and "--steps=50" in " ".join(err.split())


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (["--seeds", "3-0"], "no seeds for a batch"),
        (["--on", "moon"], "no such place"),
        (["--jobs", "-1"], "cannot go side by side"),
        (["--threads", "1000"], "so many threads"),
        (["--output", "carrierpigeon://loft"], "kind of URL"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, model: Path, more: list[str], what: str
) -> None:
    code, _, err = finished(start([*words(model, tmp_path), *more], tmp_path))
    assert code == 2 and what in err and "why:" in err and "fix:" in err and "Traceback" not in err
    assert not (tmp_path / "o").exists()


def test_without_ray_the_command_says_how_to_get_it(tmp_path: Path, model: Path) -> None:
    without = "import importlib.util as u; find = u.find_spec; "
    without += "u.find_spec = lambda name, *rest: None if name == 'ray' else find(name, *rest)"
    asked = words(model, tmp_path, "--on", "ray://127.0.0.1:10001")[2:]
    program = f"{without}; import sys; from dreamfusion_engine.cli import main; sys.exit(main({asked!r}))"
    code, _, err = finished(start([sys.executable, "-c", program], tmp_path))
    assert code == 2 and "Ray is not installed" in err and "pip install" in err and not (tmp_path / "o").exists()
