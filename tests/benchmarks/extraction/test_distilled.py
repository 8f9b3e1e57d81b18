"""A surface under a teacher's score: its gradients reach the way, and the command runs with the starter."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from benchmarks.extraction import distilled, exact_shapes
from benchmarks.extraction.distilled import ShapeTraining
from benchmarks.extraction.views import cameras_around
from benchmarks.extraction.ways import LatticeWay
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.refine import refining
from training.starter.exact_mesh import REACH


@pytest.mark.slow
def test_a_view_shows_the_surface_in_its_colour() -> None:
    axis = torch.linspace(-REACH, REACH, 13)
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    way = LatticeWay(torch.sqrt(x**2 + y**2 + z**2) * 6.0 - 3.5, REACH, rate=0.03, flexible=True)
    training = ShapeTraining(way, torch.tensor([0.8, 0.1, 0.1]), refining(preset("draft", "a ball"), {}), seed=0)
    cameras = cameras_around(2, seed=0)
    seen = training.view(cameras, 16)
    torch.testing.assert_close(seen.colour[:, 8, 8], torch.tensor([[0.8, 0.1, 0.1]] * 2))
    torch.testing.assert_close(seen.colour[:, 0, 0], torch.ones(2, 3))
    assert 0.1 < float(seen.opacity.mean()) < 0.7
    lit = training.view(cameras, 16, shading="lambertian").colour  # the light is at the camera: the rim is darker
    inside = seen.opacity > 0.999
    assert float(lit[..., 0][inside].min()) < 0.6 < float(lit[:, 8, 8, 0].min())


@pytest.mark.slow
def test_all_ways_are_measured_and_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(exact_shapes, "EXACT_CELLS", 24)
    monkeypatch.setattr(exact_shapes, "POOL", 2)
    small = ["--kind", "duck", "--cells", "12", "--steps", "1", "--views", "1", "--t-max", "0.9"]
    monkeypatch.setattr(sys, "argv", ["distilled", *small, "--output", str(tmp_path)])
    distilled.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[3].strip() for line in lines] == ["start", *distilled.WAYS]
    assert (tmp_path / "distilled_duck_0.9.png").is_file()
