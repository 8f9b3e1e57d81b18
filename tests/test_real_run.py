"""The whole method through the real command and the real server, on a tiny diffusion model with random weights.

What comes out is no object worth looking at. That it comes out, is complete, and is the same bit for bit however often
the run was broken off, is what is tested here.

Of: dreamfusion_engine/tasks/generate.py, dreamfusion_engine/cli, dreamfusion_engine/server/server.py.
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
import torch
from fakes.shapes import ball_glb
from reference.tiny_adapters import factors_for, kohya, write
from reference.tiny_families import VARIANTS
from reference.tiny_pipeline import tiny_pipeline, write_card
from reference.wire_client import PATIENCE, Client

from dreamfusion_engine.errors import Cancelled, InputError
from dreamfusion_engine.events import Event, Progress, Stage
from dreamfusion_engine.guidance.denoiser.choice import installed
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.speed.device_speed import stored_speed
from dreamfusion_engine.tasks.generate import generate

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
STEPS, CHECKPOINT_EVERY = 24, 8
OPTIMIZE = {"steps": STEPS, "views": 1, "resolution": [16, 16]}
SETTINGS = {
    "optimize": OPTIMIZE,
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
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": path},
    )


def kill_in_training(process: subprocess.Popen[str]) -> None:
    """End a run, without a word to it, once it has a checkpoint."""
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
    assert report["judge"]["by"] == "the built-in judge" and 0.0 <= report["judge"]["score"] <= 1.0
    assert report["terms"]["sell"] == "unknown" and report["terms"]["line"], "a folder may hold anything"
    assert {"load", "train", "extract", "unwrap", "bake", "render"} <= set(report["seconds"])
    assert report["denoiser"]["runtime"] == "torch" and report["denoiser"]["why"]
    assert report["peak_memory_mib"] > 100 and report["versions"]["torch"] and report["health"] and report["mesh"]
    speed = stored_speed("cpu")
    assert speed is not None and speed.rest != 1.0, "it has taught the next estimate what mesh and pictures take"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_run_resumes_to_the_same_mesh(model: Path, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    kill_in_training(start(command(model, folder)))
    assert not (folder / "mesh.glb").exists()

    process = start(command(model, folder, "--resume"))
    out, err = process.communicate(timeout=10 * PATIENCE)
    assert process.returncode == 0, err
    messages = [json.loads(line) for line in out.splitlines()]
    steps = [m["step"] for m in messages if m["type"] == "progress" and m["stage"] == "train"]
    assert min(steps) >= CHECKPOINT_EVERY, "no more than one checkpoint's steps are lost"
    assert (folder / "mesh.glb").read_bytes() == (whole / "mesh.glb").read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.skipif(not installed(), reason="OpenVINO is not installed")
@pytest.mark.parametrize("overlap", ["on", "off"])
def test_another_runtime_gives_the_same_mesh_again_and_after_a_kill(model: Path, tmp_path: Path, overlap: str) -> None:
    folders = [tmp_path / name for name in ("unbroken", "broken")]
    memory = {"denoiser_runtime": "openvino", "overlap": overlap}
    wish = [word for key, value in memory.items() for word in ("--set", f"memory.{key}={value}")]
    kill_in_training(start([*command(model, folders[1]), *wish, "--set", "optimize.views=2"]))
    settings = {**SETTINGS, "optimize": {**OPTIMIZE, "views": 2}, "memory": memory, "model": str(model)}
    for folder, resume in zip(folders, (False, True), strict=True):
        request = checked_request("a red mug", settings=settings, output=folder, resume=resume)
        generate(request.config, request.output, resume=resume)
    assert folders[0].joinpath("mesh.glb").read_bytes() == folders[1].joinpath("mesh.glb").read_bytes()
    said = [json.loads((folder / "result.json").read_text(encoding="utf-8"))["denoiser"] for folder in folders]
    assert said[0] == said[1] and said[0]["runtime"] == "openvino" and said[0]["overlap"] == (overlap == "on")
    saved = json.loads((folders[1] / "checkpoint" / "checkpoint.json").read_text(encoding="utf-8"))
    assert saved["extra"]["denoiser"] == said[1]


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


def test_a_run_goes_on_from_its_mesh_though_a_new_one_was_begun_in_its_folder_and_says_when_that_is_gone(
    model: Path, tmp_path: Path
) -> None:
    folder, mine, other = tmp_path / "run", ball_glb("ball", 40), ball_glb("other", 60)
    settings = {**SETTINGS, "model": str(model)}

    def run(mesh: bytes, *, stage: Stage | None, resume: bool = False) -> None:
        """One that is cancelled when a stage has come, if one is named."""
        seen: set[str] = set()
        asked = checked_request("a red mug", settings=settings, output=folder, blockout=mesh, resume=resume)
        generate(
            asked.config,
            folder,
            report=lambda event: seen.add(event.stage) if isinstance(event, Progress) else None,
            control=lambda: "cancel" if stage in seen else "continue",
            blockout=asked.mesh,
            resume=resume,
        )

    with pytest.raises(Cancelled):
        run(mine, stage="train")
    with pytest.raises(Cancelled):
        run(other, stage="load")
    assert (folder / "source.glb").read_bytes() == mine
    run(b"", stage=None, resume=True)
    assert (folder / "mesh.glb").is_file() and not list(folder.glob("checkpoint-*"))
    (folder / "source.glb").unlink()
    with pytest.raises(InputError) as caught:
        run(b"", stage=None, resume=True)
    assert "source.glb" in caught.value.why and "--from" in caught.value.fix
    assert "levels_until" not in caught.value.why


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


def test_a_job_of_the_server_takes_adapters_and_one_that_does_not_fit_is_refused_at_once(tmp_path: Path) -> None:
    pipeline = VARIANTS["sd"]()
    pipeline.save_pretrained(tmp_path / "model")
    lora = write(tmp_path / "clay.safetensors", kohya(factors_for(pipeline.unet, "unet", ("to_q", "to_v"))))
    word = write(tmp_path / "jug.safetensors", {"<jug>": torch.ones(2, 32)})
    wider = VARIANTS["sdxl"]()
    other = write(tmp_path / "other.safetensors", kohya(factors_for(wider.unet, "unet", ("to_q", "to_v"))))
    few = {**SETTINGS, "optimize": {"steps": 4, "views": 1, "resolution": [16, 16]}, "model": str(tmp_path / "model")}

    def asked(name: str, prompt: str, adapters: dict[str, object]) -> None:
        fields = {"prompt": prompt, "settings": {**few, "adapters": adapters}, "output": str(tmp_path / name)}
        client.send("generate", id=name, **fields)

    refused: dict[str, tuple[dict[str, object], str]] = {
        "missing": ({"lora": [[str(tmp_path / "absent.safetensors"), 1.0]]}, "input.adapter_file"),
        "misfit": ({"lora": [[str(other), 1.0]]}, "input.lora"),
        "heavy": ({"lora": [[str(lora), 1e9]]}, "input.setting"),
        "taken": ({"embeddings": [str(word), str(word)]}, "input.embedding"),
    }
    with Client(tmp_path, command=ENGINE) as client:
        client.hello()
        for name, (adapters, code) in refused.items():
            asked(name, "a mug", adapters)
            failed = client.wait_for("failed", name).message
            assert failed["code"] == code and failed["what"] and failed["why"] and failed["fix"]
            assert not (tmp_path / name).exists()
        given = {"lora": [[str(lora), 0.8]], "embeddings": [str(word)]}
        asked("good", "a red <jug>", given)
        result = client.wait_for("result", "good")
        client.send("shutdown")
        assert client.wait_end() == 0
    assert result.data[:4] == b"glTF" and result.message["report"]["config"]["adapters"] == given


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_second_run_into_the_folder_is_refused_until_the_first_is_over_or_dead(
    model: Path, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "shared"
    first = start([*command(model, folder), "--set", "optimize.steps=100000"])
    assert first.stdout is not None
    while '"train"' not in (line := first.stdout.readline()):
        assert line, first.stderr.read() if first.stderr else ""
    second = start(command(model, folder))
    out, err = second.communicate(timeout=10 * PATIENCE)
    failed = json.loads(out.splitlines()[-1])
    assert second.returncode == 2 and failed["code"] == "input.output_busy", err
    assert f"process {first.pid} of this computer" in failed["why"] and str(folder) in failed["why"]
    assert [json.loads(line)["type"] for line in out.splitlines()] == ["hello", "failed"], "before the model is loaded"
    first.kill()
    first.communicate()
    for name in (".mesh-01234567.glb", "previews/.step-000000-01234567.png"):  # as if it had died while it wrote them
        (folder / name).write_bytes(b"half")
    third = start(command(model, folder))
    out, err = third.communicate(timeout=10 * PATIENCE)
    assert third.returncode == 0, err
    assert (folder / "mesh.glb").read_bytes() == (whole / "mesh.glb").read_bytes()
    assert not list(folder.rglob(".*")), "neither the lock nor what the killed run left"
