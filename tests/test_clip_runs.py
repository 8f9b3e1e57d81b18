"""Whole runs with a CLIP as the teacher, at tiny size: from a prompt, on a mesh, in a contest, stopped and resumed.

What comes out is no object worth looking at; that it comes out is tested here.

Of: dreamfusion_engine/guidance/clip, dreamfusion_engine/generate.py.
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

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = (
    "optimize.steps=4",
    "optimize.resolution=[16,16]",
    "field.levels=2",
    "field.finest_resolution=32",
    "mesh.resolution=24",
    "mesh.texture=64",
    "mesh.triangles=200",
)


def command(*words: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, events and what is said on stderr of the real command."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    given = [sys.executable, "-m", "dreamfusion_engine", *words, "--json", "--device", "cpu"]
    given += [part for each in SETTINGS for part in ("--set", each)]
    done = subprocess.run(given, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def report_of(folder: Path) -> dict[str, Any]:
    assert (folder / "mesh.glb").read_bytes()[:4] == b"glTF"
    report: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return report


def test_a_clip_leads_from_a_prompt_to_a_mesh_the_same_one_again_that_is_painted_and_refined(tmp_path: Path) -> None:
    model = str(write_tiny_clip(tmp_path / "clip"))
    whole, twice = tmp_path / "whole", tmp_path / "twice"
    status, _, said = command("generate", "a red mug", "--model", model, "--preset", "draft", "--output", str(whole))
    assert status == 0, said
    report = report_of(whole)
    assert report["steps"] == 4 and report["config"]["recipe"] == "CLIPModel"
    assert report["denoiser"]["runtime"] == "torch" and "gradients" in report["denoiser"]["why"]
    assert report["config"]["clip"]["transmittance"] == 0.5

    again = ("generate", "a red mug", "--model", model, "--preset", "draft", "--output", str(twice))
    assert command(*again)[0] == 0
    assert (twice / "mesh.glb").read_bytes() == (whole / "mesh.glb").read_bytes(), "bit for bit"
    status, _, said = command(*again, "--resume")
    assert status == 0, said
    assert (twice / "mesh.glb").read_bytes() == (whole / "mesh.glb").read_bytes(), "from its last checkpoint"

    painted, refined, mesh = tmp_path / "painted", tmp_path / "refined", str(whole / "mesh.glb")
    with_clip = ("--model", model, "--preset", "draft", "--output")
    status, _, said = command("texture", mesh, "a blue mug", *with_clip, str(painted))
    assert status == 0, said
    assert "paint" in report_of(painted)

    status, _, said = command("refine", mesh, "a red mug", *with_clip, str(refined), "--set", "refine.steps=2")
    assert status == 0, said
    assert "refine" in report_of(refined)


def test_a_clip_ranks_a_contest_itself_where_no_judge_knows_the_prompt(tmp_path: Path) -> None:
    model, out = str(write_tiny_clip(tmp_path / "clip")), tmp_path / "out"
    status, _, said = command(
        "generate", "a peacock", "--model", model, "--preset", "draft", "--seeds", "0-1", "--output", str(out)
    )
    assert status == 0, said
    assert "teacher" in report_of(out)["contest"]["by"]


def test_a_clip_without_a_tower_is_refused_in_words_and_writes_nothing(tmp_path: Path) -> None:
    folder, out = write_tiny_clip(tmp_path / "clip"), tmp_path / "out"
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config["vision_config"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    status, events, said = command("generate", "a mug", "--model", str(folder), "--output", str(out))
    assert status != 0 and not out.exists() and "Traceback" not in said
    assert "without vision tower" in said + json.dumps(events)
