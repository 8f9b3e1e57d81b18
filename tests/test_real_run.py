"""The whole method through the real command and the real server, on a tiny diffusion model with random weights.

What comes out is no object worth looking at. That it comes out, is complete, and is the same bit for bit however often
the run was broken off, is what is tested here.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from reference.tiny_pipeline import tiny_pipeline, write_card
from reference.wire_client import PATIENCE, Client

from dreamfusion_engine.errors import Cancelled
from dreamfusion_engine.events import Event, Progress
from dreamfusion_engine.generate import generate
from dreamfusion_engine.request import checked_request

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
STEPS, CHECKPOINT_EVERY = 24, 8
SETTINGS = {
    "optimize": {"steps": STEPS, "views": 1, "resolution": [16, 16]},
    "checkpoint_every": CHECKPOINT_EVERY,
    "field": {"levels": 2},
    "mesh": {"resolution": 32, "texture": 64, "triangles": 200},
    "device": "cpu",
}
ENGINE = [sys.executable, "-m", "dreamfusion_engine"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "model"
    tiny_pipeline("v_prediction").save_pretrained(folder)
    write_card(folder)
    return folder


def command(model: Path, output: Path, *more: str) -> list[str]:
    """The command line that asks for SETTINGS."""
    words = [*ENGINE, "generate", "a red mug", "--model", str(model), "--output", str(output), "--json", *more]
    for stage, values in SETTINGS.items():
        if isinstance(values, dict):
            for key, value in values.items():
                words += ["--set", f"{stage}.{key}={json.dumps(value)}"]
        elif stage == "device":
            words += ["--device", str(values)]
        else:
            words += ["--set", f"{stage}={json.dumps(values)}"]
    return words


def start(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture(scope="module")
def whole(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an unbroken run."""
    folder = tmp_path_factory.mktemp("whole") / "outputs" / "a-red-mug"
    process = start(command(model, folder))
    out, err = process.communicate(timeout=10 * PATIENCE)
    assert process.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["type"] == "result"
    return folder


def test_a_run_leaves_everything_it_promises(whole: Path) -> None:
    assert {"mesh.glb", "turntable.mp4", "views.png", "result.json"} <= {path.name for path in whole.iterdir()}
    assert (whole / "mesh.glb").read_bytes()[:4] == b"glTF"
    assert b"ftyp" in (whole / "turntable.mp4").read_bytes()[:16]
    assert (whole / "views.png").read_bytes().startswith(b"\x89PNG")
    report = json.loads((whole / "result.json").read_text(encoding="utf-8"))
    assert (report["prompt"], report["seed"], report["steps"]) == ("a red mug", 0, STEPS)
    assert report["config"]["mesh"]["texture"] == 64
    assert {"load", "train", "extract", "unwrap", "bake", "render"} <= set(report["seconds"])
    assert report["peak_memory_mib"] > 100 and report["versions"]["torch"] and report["health"] and report["mesh"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_run_resumes_to_the_same_mesh(model: Path, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    process = start(command(model, folder))
    assert process.stdout is not None
    reached = 0
    while reached < CHECKPOINT_EVERY + 2:
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        message = json.loads(line)
        if message["type"] == "progress" and message["stage"] == "train":
            reached = message["step"]
    process.kill()
    process.communicate()
    assert not (folder / "mesh.glb").exists()

    process = start(command(model, folder, "--resume"))
    out, err = process.communicate(timeout=10 * PATIENCE)
    assert process.returncode == 0, err
    messages = [json.loads(line) for line in out.splitlines()]
    steps = [m["step"] for m in messages if m["type"] == "progress" and m["stage"] == "train"]
    assert min(steps) >= CHECKPOINT_EVERY, "no more than one checkpoint's steps are lost"
    assert (folder / "mesh.glb").read_bytes() == (whole / "mesh.glb").read_bytes()


def test_a_run_that_is_stopped_while_pictures_are_taken_says_that_the_mesh_is_there(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[Event] = []

    def control() -> Literal["continue", "cancel"]:
        return (
            "cancel" if any(isinstance(event, Progress) and event.stage == "render" for event in seen) else "continue"
        )

    request = checked_request("a red mug", settings={**SETTINGS, "model": str(model)}, output=tmp_path / "late")
    with pytest.raises(Cancelled) as caught:
        generate(request.config, request.output, report=seen.append, control=control)
    assert str(tmp_path / "late" / "mesh.glb") in caught.value.why and "--resume" in caught.value.fix
    assert (tmp_path / "late" / "mesh.glb").read_bytes()[:4] == b"glTF"
    assert not (tmp_path / "late" / "turntable.mp4").exists()
    gc.collect()
    assert "Output file is empty" not in capfd.readouterr().err, "nothing of the encoder's comes after the advice"


def test_a_cancelled_job_of_the_server_resumes_to_the_same_mesh(model: Path, whole: Path, tmp_path: Path) -> None:
    fields = {"prompt": "a red mug", "settings": {**SETTINGS, "model": str(model)}, "output": str(tmp_path / "job")}
    with Client(tmp_path, command=ENGINE) as client:
        client.hello()
        client.send("generate", id="first", **fields)
        while client.wait_for("progress", "first").message["stage"] != "train":
            pass
        client.send("cancel", id="first")
        client.wait_for("cancelled", "first")
        client.send("generate", id="second", resume=True, **fields)
        result = client.wait_for("result", "second")
        assert result.data == (whole / "mesh.glb").read_bytes()
        assert result.message["report"]["prompt"] == "a red mug"
        client.send("shutdown")
        assert client.wait_end() == 0
