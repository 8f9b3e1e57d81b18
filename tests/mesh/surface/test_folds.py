"""Folds: counted in closed forms, and undone without moving anything else."""

import numpy as np
import pytest
from mesh.shapes import Mesh, cube, icosphere, joined, lattice_torus

from dreamfusion_engine.mesh.surface import topology
from dreamfusion_engine.mesh.surface.folds import ROUNDS, WIDER, faults_of, folds_of, unfolded

NONE = folds_of(*cube())


def roof(half_angle: float) -> Mesh:
    """A house along y whose roof's slopes meet in an edge with 2 * half_angle between them, radians."""
    w = np.tan(half_angle)
    gable = [(0.0, 1.0), (-w, 0.0), (-w, -1.0), (w, -1.0), (w, 0.0)]
    vertices = [(x, y, z) for y in (-1.0, 1.0) for x, z in gable]
    ends = [(0, i, i + 1) for i in (1, 2, 3)] + [(5, i + 6, i + 5) for i in (1, 2, 3)]
    sides = [t for i in range(5) for j in [(i + 1) % 5] for t in ((i, i + 5, j + 5), (i, j + 5, j))]
    return np.array(vertices), np.array(ends + sides, np.int32)


def dented(mesh: Mesh, vertex: int, depth: float) -> Mesh:
    """The mesh with a vertex slid along the surface over its neighbours: its triangles on the far side fold over."""
    vertices, triangles = mesh
    near = np.setdiff1d(triangles[(triangles == vertex).any(1)], vertex)
    slid = vertices.copy()
    slid[vertex] += depth * (vertices[near[0]] - vertices[vertex])
    return slid, triangles


def test_a_roof_is_a_fold_from_a_slope_of_sixty_degrees() -> None:
    for half_angle, folds in ((31.0, 0), (29.0, 1), (5.0, 1)):
        mesh = roof(np.radians(half_angle))
        assert topology.is_manifold(mesh[1]) and topology.volume(*mesh) > 0.0
        assert faults_of(*mesh).folds == folds
    found = folds_of(*mesh)
    np.testing.assert_allclose(found.middles, [[0.0, 0.0, 1.0]], atol=1e-7)
    np.testing.assert_allclose(np.degrees(found.angles), [170.0], atol=1e-4)


def test_whole_shapes_have_neither() -> None:
    for mesh in (cube(), icosphere(4), lattice_torus()):
        found = faults_of(*mesh)
        assert (found.folds, found.crossings, found.count) == (0, 0, 0) and not found.touched.any()


def test_a_fold_counts_unless_one_as_sharp_was_there_before() -> None:
    mesh = roof(np.radians(10.0))
    for half_angle, folds in ((10.0, 0), (9.0, 0), (11.0, 1)):
        known = folds_of(*roof(np.radians(half_angle)))
        assert faults_of(*mesh, known).folds == folds
        assert faults_of(mesh[0] + np.array([0.0, 0.0, 5.0]), mesh[1], known).folds == 1  # it was elsewhere
    assert faults_of(*mesh, NONE).folds == 1


@pytest.mark.parametrize("mesh", [icosphere(4), lattice_torus(48, 24)])
def test_vertices_slid_over_their_neighbours_come_back(mesh: Mesh) -> None:
    folded = mesh
    for vertex in range(0, len(mesh[0]), 97):
        folded = dented(folded, vertex, 1.6)
    before = faults_of(*folded)
    assert before.folds > 20
    points, left = unfolded(*folded, NONE)
    assert left.count == 0 and faults_of(points, mesh[1]).count == 0
    edge = float(np.linalg.norm(mesh[0][mesh[1][:, 0]] - mesh[0][mesh[1][:, 1]], axis=1).max())
    assert np.abs(points - mesh[0]).max() < edge  # nothing has left its place
    near = topology.neighbour_weights(len(points), mesh[1])
    reach = before.touched.astype(float)
    for _ in range(2 * ROUNDS // WIDER):
        reach = np.maximum(reach, near @ reach)
    np.testing.assert_array_equal(points[reach == 0.0], folded[0][reach == 0.0])


def test_sheets_pushed_through_each_other_part() -> None:
    ball, triangles = icosphere(4)
    both = joined((ball, triangles), (ball + np.array([2.05, 0.03, 0.02]), triangles))
    pushed = both[0].copy()
    pushed[: len(ball)][ball[:, 0].argmax(), 0] += 0.1  # the tip of one ball, into the other
    assert faults_of(pushed, both[1]).crossings > 0
    points, left = unfolded(pushed, both[1], NONE)
    assert left.count == 0 and np.abs(points - both[0]).max() < 0.1


def test_a_surface_without_faults_is_left_alone() -> None:
    vertices, triangles = icosphere(3)
    points, left = unfolded(vertices, triangles, NONE)
    np.testing.assert_array_equal(points, vertices)
    assert left.count == 0


def test_what_cannot_be_undone_is_told_and_made_no_worse() -> None:
    mesh = roof(np.radians(10.0))
    _, left = unfolded(*mesh, NONE)
    assert left.folds <= 1 and left.crossings == 0
