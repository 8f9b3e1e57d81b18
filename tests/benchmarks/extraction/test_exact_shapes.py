"""The command at a size of seconds, and its table."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.extraction import exact_shapes
from benchmarks.extraction.exact_shapes import Row, Target, means, row_text
from benchmarks.extraction.measures import Measures


def row(chamfer: float, kind: str = "mug", *, closed: bool = True) -> Row:
    found = Measures(
        chamfer=chamfer,
        iou=0.9,
        normals=5.0,
        edges=20.0,
        closed=closed,
        crossings=2,
        folds=1,
        parts=1,
        handles=1,
        triangles=100,
    )
    return Row(kind=kind, cells=32, way="moved", seconds=2.0, measures=found)


def test_means_are_of_figures_and_sums_of_faults() -> None:
    (mean,) = means([row(0.002), row(0.004, "chair", closed=False)])
    assert mean.measures.chamfer == pytest.approx(0.003)
    assert (mean.measures.crossings, mean.measures.folds, mean.measures.closed) == (4, 2, False)
    assert "| 3.0 | 0.900 |" in row_text(mean)


@pytest.mark.slow
def test_a_lost_part_is_missing_in_the_start_alone() -> None:
    whole, lost = (Target(name, 16) for name in ("mug", "mug-"))
    torch.testing.assert_close(whole.sight.mask, lost.sight.mask)
    assert int((whole.start(24, 0.05) < 0.0).sum()) > int((lost.start(24, 0.05) < 0.0).sum())


@pytest.mark.slow
def test_every_way_is_measured_and_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(exact_shapes, "EXACT_CELLS", 24)
    monkeypatch.setattr(exact_shapes, "POOL", 4)
    small = ["--kinds", "duck", "--cells", "12", "--steps", "2", "--views", "2", "--pixels", "24", "--json"]
    monkeypatch.setattr(sys, "argv", ["exact_shapes", *small, "--output", str(tmp_path)])
    exact_shapes.main()
    rows = json.loads(capsys.readouterr().out)
    assert [each["way"] for each in rows] == ["start", *exact_shapes.WAYS]
    assert all(each["measures"]["closed"] for each in rows) and all(each["seconds"] > 0.0 for each in rows[1:])
    assert json.loads((tmp_path / "extraction.json").read_text()) == rows
    assert (tmp_path / "duck_12.png").is_file()
