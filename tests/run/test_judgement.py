"""A finished object has a grade where a judge knows the prompt, and a judge that fails costs no more than that."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.shared import portraits
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.events import Event, Note
from dreamfusion_engine.judge.folder import WEIGHTS
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.run import judgement as module
from dreamfusion_engine.run.judgement import judgement
from training.starter.objects.kinds import Appearance, kind_named


def red_box() -> TexturedMesh:
    corners = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij"), -1).reshape(-1, 3)
    vertices = corners.astype(np.float32)
    faces = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    triangles = [t for a, b, c, d in faces for t in ((a, b, c), (a, c, d))]
    return TexturedMesh(
        vertices=vertices,
        triangles=np.asarray(triangles, np.int32),
        normals=(vertices / np.sqrt(3.0)).astype(np.float32),
        uv=np.full((12, 3, 2), 0.5, np.float32),
        texture=np.full((4, 4, 3), (200, 30, 30), np.uint8),
    )


@pytest.mark.slow
def test_a_box_with_a_red_coat_is_a_red_gift_rather_than_a_blue_one() -> None:
    red, blue = (
        judgement(preset("draft", f"a {colour} gift"), red_box(), lambda _: None) for colour in ("red", "blue")
    )
    assert red["judge"]["surety"] > blue["judge"]["surety"] and blue["judge"]["score"] == 0.0
    assert red["judge"]["views"] == 8 and red["judge"]["seconds"] >= 0.0
    assert red["terms"]["sell"] == "yes"


def test_without_a_judge_for_the_prompt_nothing_is_claimed() -> None:
    unknown, off = preset("draft", "a steampunk teapot"), preset("draft", "a red gift", {"judge": "off"})
    assert [judgement(each, red_box(), lambda _: None)["judge"] for each in (unknown, off)] == [None, None]


def test_a_judge_that_breaks_costs_the_grade_and_not_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    shutil.copytree(WEIGHTS, folder)
    (folder / "hashes.json").write_text(json.dumps({"model.safetensors": "0"}), encoding="utf-8")
    told: list[Event] = []
    found = judgement(preset("draft", "a red gift", {"judge": str(folder)}), red_box(), told.append)
    assert found["judge"] is None and found["terms"]["line"]
    assert [event.code for event in told if isinstance(event, Note)] == ["judge.silent"]


def test_a_clip_folder_is_named_and_asked_about_any_prompt(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    shutil.copytree(WEIGHTS, folder)
    found = judgement(preset("draft", "a steampunk teapot", {"judge": str(folder)}), red_box(), lambda _: None)
    assert (found["judge"]["by"], found["judge"]["captions"]) == ("clip", 101)


@pytest.mark.parametrize(
    ("settings", "advice"),
    [({}, "Try again with another seed"), ({"guidance": {"view_prompts": "off"}}, "Try again with view prompts")],
)
def test_an_object_with_two_faces_is_told_with_what_to_try(
    settings: dict[str, Any], advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    colour, clay = portraits.truth_portraits(kind_named("penguin"), Appearance(), 0)
    both = colour[[0, 1, 2, 4, 0, 1, 2, 4]]  # front, side, back, and the same again
    monkeypatch.setattr(module, "mesh_portraits", lambda mesh: (both, clay))
    told: list[Event] = []
    found = judgement(preset("draft", "a penguin", {"seed": 0, **settings}), red_box(), told.append)
    assert found["judge"]["many_faced"] and found["judge"]["faces"] > 1
    (note,) = (event for event in told if isinstance(event, Note))
    assert note.code == "judge.many_faced" and advice in note.text and "MVDream" in note.text
