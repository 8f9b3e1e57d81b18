"""Whole runs with a CLIP as the teacher, at tiny size: from a prompt, on a mesh, in a contest, stopped and resumed.

What comes out is no object worth looking at; that it comes out is tested here.

Of: dreamfusion_engine/guidance/clip, dreamfusion_engine/tasks/generate.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from reference.tiny_clip import write_tiny_clip
from reference.wire_client import PATIENCE

from dreamfusion_engine.config.seed_range import SeedRange
from dreamfusion_engine.contest.grading import BY_COMPARISON
from dreamfusion_engine.contest.run import contest
from dreamfusion_engine.errors import Cancelled
from dreamfusion_engine.request.contest import checked_contest_request
from dreamfusion_engine.request.generate import checked_request
from dreamfusion_engine.request.refine import checked_refine_request
from dreamfusion_engine.request.texture import checked_texture_request
from dreamfusion_engine.tasks.generate import generate
from dreamfusion_engine.tasks.refine import refine
from dreamfusion_engine.tasks.texture import texture

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SETTINGS: dict[str, Any] = {
    "optimize": {"steps": 4, "resolution": [16, 16]},
    "field": {"levels": 2, "finest_resolution": 32},
    "render": {"steps": 32, "occupancy_resolution": 16},
    "mesh": {"resolution": 24, "texture": 64, "triangles": 200},
    "checkpoint_every": 1,
    "device": "cpu",
}
SEEDS = SeedRange(first=0, count=2)


@pytest.fixture
def no_video(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty frames would be most of the work, and the real command has them."""
    for name in ("generate", "texture", "refine"):
        monkeypatch.setattr(
            f"dreamfusion_engine.tasks.{name}.write_turntable", lambda _, path, *rest, **more: path.write_bytes(b"")
        )


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return SETTINGS | {"model": str(write_tiny_clip(tmp_path_factory.mktemp("tiny") / "clip"))}


def report_of(folder: Path) -> dict[str, Any]:
    assert (folder / "mesh.glb").read_bytes()[:4] == b"glTF"
    report: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return report


def test_a_run_broken_off_in_the_middle_ends_as_an_unbroken_one_bit_for_bit(
    settings: dict[str, Any], tmp_path: Path, no_video: None
) -> None:
    whole, broken = (
        checked_request("a red mug", preset_name="draft", settings=settings, output=tmp_path / name)
        for name in ("whole", "broken")
    )
    generate(whole.config, whole.output)
    report = report_of(whole.output)
    assert report["steps"] == 4 and report["config"]["recipe"] == "CLIPModel"
    assert report["denoiser"]["runtime"] == "torch" and "gradients" in report["denoiser"]["why"]
    asked = 0

    def control() -> str:
        nonlocal asked
        asked += 1
        return "cancel" if asked > 2 else "continue"

    with pytest.raises(Cancelled):
        generate(broken.config, broken.output, control=control)  # type: ignore[arg-type]
    generate(broken.config, broken.output, resume=True)
    assert (broken.output / "mesh.glb").read_bytes() == (whole.output / "mesh.glb").read_bytes()


def test_a_mesh_is_painted_and_refined(settings: dict[str, Any], tmp_path: Path, no_video: None) -> None:
    made = checked_request("a red mug", preset_name="draft", settings=settings, output=tmp_path / "made")
    generate(made.config, made.output)
    mesh = made.output / "mesh.glb"
    settings = {name: value for name, value in settings.items() if name != "render"}  # they render the mesh's surface
    painted = checked_texture_request(
        "a blue mug", mesh, preset_name="draft", settings=settings, output=tmp_path / "painted"
    )
    assert painted.paint is not None
    texture(painted.config, painted.paint, painted.mesh, painted.output)
    assert "paint" in report_of(painted.output)
    better = checked_refine_request(
        "a red mug", mesh, preset_name="draft", settings=settings | {"refine": {"steps": 2}}, output=tmp_path / "fine"
    )
    refine(better.config, better.mesh, better.output)
    assert "refine" in report_of(better.output)


def test_a_clip_ranks_a_contest_itself_where_no_judge_knows_the_prompt(
    settings: dict[str, Any], tmp_path: Path, no_video: None
) -> None:
    request = checked_contest_request(
        "a peacock", SEEDS, preset_name="draft", settings=settings, output=tmp_path / "contest"
    )
    contest(request.config, SEEDS, request.output)
    assert report_of(request.output)["contest"]["judge"] == BY_COMPARISON


def command(*words: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of the real command."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    given = [sys.executable, "-m", "dreamfusion_engine", *words, "--json", "--device", "cpu"]
    for stage, values in SETTINGS.items():
        if isinstance(values, dict):
            given += [part for key, value in values.items() for part in ("--set", f"{stage}.{key}={json.dumps(value)}")]
    done = subprocess.run(given, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_real_command_goes_from_a_clip_and_a_prompt_to_a_mesh(settings: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "out"
    status, _, said = command("generate", "a mug", "--model", settings["model"], "--output", str(out))
    assert status == 0, said
    assert report_of(out)["config"]["clip"]["transmittance"] == 0.5 and (out / "turntable.mp4").is_file()


def test_the_real_command_refuses_a_clip_without_a_tower_in_words_and_writes_nothing(tmp_path: Path) -> None:
    folder, out = write_tiny_clip(tmp_path / "clip"), tmp_path / "out"
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config["vision_config"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    status, told, said = command("generate", "a mug", "--model", str(folder), "--output", str(out))
    assert status != 0 and not out.exists() and "Traceback" not in said
    assert "without vision tower" in told + said
