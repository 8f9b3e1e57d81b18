"""The solid of a mesh: distances of known shapes, with holes, flipped, open and flat."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mesh.shapes import cube, icosphere, joined
from numpy.typing import NDArray

from dreamfusion_engine.mesh.solid import CELLS, REACH, SHEET, solid_distance

CPU = torch.device("cpu")
CELL = 2.0 / CELLS


def radii() -> torch.Tensor:
    """The lattice points' distances from the origin."""
    along = torch.linspace(-1.0, 1.0, CELLS + 1)
    z, y, x = torch.meshgrid(along, along, along, indexing="ij")
    return torch.sqrt(x * x + y * y + z * z)


def solid(mesh: tuple[NDArray[np.float64], NDArray[np.int32]]) -> torch.Tensor:
    return solid_distance(*mesh, CPU)


@pytest.mark.slow
def test_a_balls_distance_is_its_radius_less_the_points() -> None:
    distance = solid(icosphere(4, 0.6))
    wanted = (radii() - 0.6).clamp(-REACH, REACH)
    assert float((distance - wanted).abs().max()) < 0.003  # what the ball's facets lie inside the ball


@pytest.mark.slow
def test_a_hole_and_flipped_faces_change_the_solid_by_little() -> None:
    vertices, triangles = icosphere(4, 0.6)
    whole = solid((vertices, triangles)) < 0.0
    open_top = triangles[vertices[triangles][:, :, 2].mean(1) < 0.55]
    assert len(open_top) < len(triangles)
    holed = solid((vertices, open_top)) < 0.0
    assert float((holed != whole).sum() / whole.sum()) < 0.02


def test_parts_that_pass_through_each_other_are_one_solid() -> None:
    left, right = cube((-0.6, -0.3, -0.3), 0.7), cube((-0.1, -0.3, -0.3), 0.7)
    inside = solid(joined(left, right)) < 0.0
    middle = CELLS // 2
    row = inside[middle, middle]
    edges = torch.linspace(-1.0, 1.0, CELLS + 1)[row]
    assert float(edges.min()) == pytest.approx(-0.6, abs=CELL) and float(edges.max()) == pytest.approx(0.6, abs=CELL)
    filled = torch.nonzero(row)[:, 0]
    assert int(row.sum()) == int(filled[-1] - filled[0]) + 1  # no gap where both are


def test_a_sheet_gets_some_thickness() -> None:
    square = np.array([[-0.5, -0.5, 0.0], [0.5, -0.5, 0.0], [0.5, 0.5, 0.0], [-0.5, 0.5, 0.0]])
    inside = solid((square, np.array([[0, 1, 2], [0, 2, 3]], np.int32))) < 0.0
    column = inside[:, CELLS // 2, CELLS // 2]
    assert 1 <= int(column.sum()) <= 2 * SHEET + 1
    assert not bool(inside[:, 0, 0].any())


@pytest.mark.slow
def test_a_ball_inside_a_ball_is_solid_throughout() -> None:
    assert bool((solid(joined(icosphere(3, 0.8), icosphere(3, 0.3)))[radii() < 0.75] < 0.0).all())
