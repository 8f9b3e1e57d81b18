"""A finished run is graded and not made again, and every line of the table has as many cells.

Of: benchmarks/shared/graded_run.py, benchmarks/quality.py.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.quality import row_text, summary_of, table
from benchmarks.shared import graded_run
from benchmarks.shared.graded_run import Row, Truth, finished, make, measure
from benchmarks.shared.grader import Grade, Grader
from benchmarks.shared.prompt_list import Prompt
from dreamfusion_engine.judge.model import load_judge
from dreamfusion_engine.mesh.export import write_glb
from dreamfusion_engine.mesh.surface.topology import vertex_normals
from dreamfusion_engine.mesh.textured import TexturedMesh
from training.starter.exact_mesh import exact_mesh
from training.starter.objects.kinds import Appearance, kind_named, make_object

PROMPT = Prompt(text="a blue mug", kind=kind_named("mug"), appearance=Appearance(colour="blue"))
NOWHERE = argparse.Namespace()  # a run that is there asks nothing of the command line
GRADE = Grade(colour=1.0, textureless=0.9, kind=1.0, own_colour=None, part=None)


def blue_mug(folder: Path) -> None:
    """A run's folder with an exact mug, blue all over."""
    parts = make_object(np.random.default_rng([11, 0]), PROMPT.kind, PROMPT.appearance)
    vertices, triangles = exact_mesh(parts, 48, torch.device("cpu"))
    mesh = TexturedMesh(
        vertices=vertices,
        triangles=triangles,
        normals=vertex_normals(vertices, triangles).astype(np.float32),
        uv=np.zeros((len(triangles), 3, 2), np.float32),
        texture=np.full((4, 4, 3), (36, 87, 209), np.uint8),
    )
    write_glb(mesh, folder / "mesh.glb", name="mug")
    facts = {"components": 1, "folds": 0, "folds_before": 2, "crossings": 0, "fidelity_psnr": 30.04}
    result: dict[str, object] = {"mesh": facts, "health": {"verdict": "good", "restarts": 0}}
    result["seconds"] = {"train": 5.0, "train_all_sessions": 9.0, "bake": 1.04}
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


@pytest.mark.slow
def test_a_finished_run_gets_every_figure_by_both_judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graded_run, "EXACT", 1)
    blue_mug(tmp_path)
    grader = Grader(load_judge(), [PROMPT])
    row = measure(PROMPT, tmp_path, grader, NOWHERE, grader)
    assert (row.kind, row.own_colour, row.part) == (1.0, 1.0, None)
    assert (row.second_colour, row.second_textureless) == (row.colour, row.textureless)
    assert row.cielab is not None and row.cielab < 15.0 and row.part_cielab is None
    assert row.iou is not None and row.iou > 0.5
    assert (row.seconds, row.psnr, row.folds_before) == (6.0, 30.0, 2)


def test_a_failed_run_is_not_begun_again_and_says_why(tmp_path: Path) -> None:
    assert not finished(tmp_path)
    (tmp_path / "failed.txt").write_text("much before\nThe object came out empty.\n", encoding="utf-8")
    assert finished(tmp_path) and make(PROMPT, tmp_path, NOWHERE) == {"failed": "The object came out empty."}


def test_every_line_of_the_table_has_as_many_cells() -> None:
    figures: dict[str, object] = {
        "chamfer": 0.1,
        "iou": 0.5,
        "components": 1,
        "folds": 0,
        "folds_before": 0,
        "crossings": 0,
    }
    figures |= {"health": "good", "seconds": 5.0, "psnr": 30.0, "textureless": 0.5, "kind": 1.0}
    good = Row(prompt="a", colour=1.0, cielab=6.04, part_cielab=20.3, part=0.25, **figures)  # type: ignore[arg-type]
    failed = Row(prompt="b", colour=None, **dict.fromkeys(figures) | {"health": "empty"})  # type: ignore[arg-type]
    for second in (GRADE, None):
        truth = Truth(first=GRADE, second=second, cielab=3.4)
        lines = table([good, failed], truth).splitlines()
        assert len({line.count("|") for line in lines}) == 1, lines
        assert "| 6.0 (20.3) |" in row_text(good, second is not None)
        sums = summary_of([good, failed], truth)
        assert (sums["colour"], sums["cielab"], sums["part"], sums["own_colour"]) == (0.5, 6.04, 0.25, None)
