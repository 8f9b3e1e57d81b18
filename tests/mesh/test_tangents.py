"""Tangents: along u, across the normal, in mirrored charts too. test_surface_maps.py has Blender's own."""

from __future__ import annotations

import numpy as np
from mesh.shapes import icosphere, lattice_torus
from numpy.typing import NDArray

from dreamfusion_engine.mesh.export import split_at_seams
from dreamfusion_engine.mesh.surface.topology import vertex_normals
from dreamfusion_engine.mesh.tangents import corner_tangents

SQUARE = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
HALVES = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
UP = np.tile([0.0, 0.0, 1.0], (4, 1))


def square_uv(*, mirrored: bool = False) -> NDArray[np.float32]:
    """u along x (or against it), v down against y."""
    uv = np.stack([1.0 - SQUARE[:, 0] if mirrored else SQUARE[:, 0], 1.0 - SQUARE[:, 1]], -1)
    return uv.astype(np.float32)[HALVES]


def test_a_square_has_its_tangent_along_u_and_its_bitangent_up() -> None:
    found = corner_tangents(SQUARE, HALVES, UP, square_uv())
    assert np.array_equal(found, np.tile(np.array([1.0, 0.0, 0.0, 1.0], np.float32), (2, 3, 1)))


def test_in_a_mirrored_chart_the_bitangent_still_points_up() -> None:
    found = corner_tangents(SQUARE, HALVES, UP, square_uv(mirrored=True))
    assert np.array_equal(found, np.tile(np.array([-1.0, 0.0, 0.0, -1.0], np.float32), (2, 3, 1)))
    assert np.array_equal(found[0, 0, 3] * np.cross(UP[0], found[0, 0, :3]), [0.0, 1.0, 0.0])


def test_on_a_torus_tangents_follow_the_ring_and_lie_across_the_normals() -> None:
    rings, sides = 48, 24
    vertices, triangles = lattice_torus(rings, sides)
    ring, side = np.divmod(triangles, sides)
    ring, side = (np.where(x.max(1, keepdims=True) - x > n // 2, x + n, x) for x, n in ((ring, rings), (side, sides)))
    uv = np.stack([ring / (rings + 1.0), 1.0 - side / (sides + 1.0)], -1).astype(np.float32)
    normals = vertex_normals(vertices, triangles)
    found = corner_tangents(vertices, triangles, normals, uv).astype(np.float64)
    x, y, _ = np.moveaxis(vertices[triangles], -1, 0)
    along = np.stack([-y, x, 0.0 * x], -1) / np.hypot(x, y)[..., None]
    assert (found[..., :3] * along).sum(-1).min() > np.cos(np.radians(4.0))
    assert np.abs((found[..., :3] * normals[triangles]).sum(-1)).max() < 1e-6
    assert np.allclose(np.linalg.norm(found[..., :3], axis=-1), 1.0, atol=1e-6) and (found[..., 3] == 1.0).all()


def test_corners_that_are_one_vertex_of_the_file_have_one_tangent() -> None:
    vertices, triangles = icosphere(2)
    half = vertices[triangles].mean(1)[:, 0] < 0.0  # laid over the other half: mirrored, with a seam between
    place = np.abs(vertices[triangles][..., 0]), vertices[triangles][..., 2]
    uv = np.stack([0.5 + 0.4 * place[0], 0.5 - 0.4 * place[1]], -1).astype(np.float32)
    found = corner_tangents(vertices, triangles, vertex_normals(vertices, triangles), uv)
    front = vertices[triangles].mean(1)[:, 1] < 0.0
    assert set(np.unique(found[front & half, :, 3])) == {-1.0} and set(np.unique(found[front & ~half, :, 3])) == {1.0}
    corner, index = split_at_seams(triangles, uv, found[..., 3])
    assert np.array_equal(found.reshape(-1, 4)[corner][index], found)
    assert len(corner) > len(split_at_seams(triangles, uv)[0])


def test_a_triangle_without_area_adds_nothing_and_takes_its_neighbours() -> None:
    triangles = np.concatenate([HALVES, [[0, 2, 0]]]).astype(np.int32)
    uv = np.concatenate([square_uv(mirrored=True), square_uv(mirrored=True)[:1, [0, 2, 0]]])
    found = corner_tangents(SQUARE, triangles, UP, uv)
    assert np.array_equal(found[2], found[0, [0, 2, 0]])
    alone = corner_tangents(SQUARE, HALVES, UP, np.zeros((2, 3, 2), np.float32))
    assert np.isfinite(alone).all() and np.allclose(np.linalg.norm(alone[..., :3], axis=-1), 1.0)
    assert np.array_equal(alone[..., 2], np.zeros((2, 3)))
