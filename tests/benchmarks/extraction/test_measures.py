"""The figures of meshes whose answers are known: a mesh against itself, a larger ball, a cube with cut edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from mesh.shapes import cube, icosphere, joined

from benchmarks.extraction.measures import NEAR, VOLUME_CELLS, Exact, exact_of, measures_of
from training.starter.exact_mesh import lattice_points

pytestmark = pytest.mark.slow  # each asks for the inside of a fine lattice

LATTICE = lattice_points(VOLUME_CELLS, torch.device("cpu")).numpy()


def ball(radius: float) -> tuple[np.ndarray, np.ndarray]:
    vertices, triangles = icosphere(4, radius)
    return vertices.astype(np.float32), triangles


@pytest.fixture(scope="module")
def exact() -> Exact:
    return exact_of(*ball(0.6), np.linalg.norm(LATTICE, axis=1) < 0.6)


def test_a_mesh_has_no_distance_from_itself(exact: Exact) -> None:
    found = measures_of(*ball(0.6), exact)
    assert found.chamfer < 1e-5 and found.normals < 0.1 and found.iou > 0.98
    assert (found.closed, found.crossings, found.folds, found.parts, found.handles) == (True, 0, 0, 1, 0)


def test_a_larger_ball_is_as_far_as_it_is_larger(exact: Exact) -> None:
    found = measures_of(*ball(0.66), exact)
    assert found.chamfer == pytest.approx(0.06, rel=0.02)
    assert found.iou == pytest.approx((0.6 / 0.66) ** 3, rel=0.02)


def test_crossings_and_parts_are_counted(exact: Exact) -> None:
    one, other = icosphere(2, 0.5), icosphere(2, 0.5)
    vertices, triangles = joined(one, (other[0] + [0.3, 0.07, 0.11], other[1]))
    found = measures_of(vertices.astype(np.float32), triangles, exact)
    assert found.parts == 2 and found.crossings > 10


def test_only_points_near_sharp_edges_count_at_edges() -> None:
    vertices, triangles = cube((-0.5, -0.5, -0.5), 1.0)
    for _ in range(5):
        vertices, triangles = trimesh.remesh.subdivide(vertices, triangles)
    solid = exact_of(vertices.astype(np.float32), triangles, (np.abs(LATTICE) < 0.5).all(1))
    assert not exact_of(*ball(0.6), LATTICE[:, 0] < 0.0).sharp.any()
    share = 1.0 - (1.0 - 2.0 * (NEAR + 1.0 / 96.0)) ** 2  # of a face near its border, or its triangles' middles there
    assert solid.sharp.mean() == pytest.approx(share, abs=0.02)
    turned = measures_of(*ball(0.6), solid)
    assert turned.edges > turned.normals > 5.0
