"""Crossing triangles: the kernel against every pair in numpy, and closed forms."""

import numpy as np
import pytest
from mesh.shapes import cube, icosphere, joined, lattice_torus
from numpy.typing import NDArray

from dreamfusion_engine.mesh.surface.crossing import crossings_of


def counted_pair_by_pair(vertices: NDArray[np.floating], triangles: NDArray[np.int32]) -> NDArray[np.int64]:
    """The same by solving a + s (b - a) = p + t (q - p) + u (r - p) for every edge and every triangle."""
    points = vertices.astype(np.float32).astype(np.float64)
    first, second = np.triu_indices(len(triangles), 1)
    crossed = np.zeros(len(first), bool)
    for one, other in ((triangles[first], triangles[second]), (triangles[second], triangles[first])):
        p, q, r = points[other].transpose(1, 0, 2)
        for k in range(3):
            start, end = one[:, k], one[:, (k + 1) % 3]
            apart = ((other != start[:, None]) & (other != end[:, None])).all(1)
            matrix = np.stack([points[start] - points[end], q - p, r - p], -1)
            apart &= np.abs(np.linalg.det(matrix)) > 1e-300
            s, t, u = np.linalg.solve(matrix[apart], (points[start] - p)[apart][..., None])[..., 0].T
            crossed[apart] |= (s > 0.0) & (s < 1.0) & (t > 0.0) & (u > 0.0) & (t + u < 1.0)
    return np.bincount(np.concatenate([first[crossed], second[crossed]]), minlength=len(triangles))


@pytest.mark.parametrize("rough", [0.0, 0.2, 0.5])
def test_crossings_are_those_of_every_pair(rough: float) -> None:
    vertices, triangles = icosphere(2)
    vertices = vertices + rough * np.random.default_rng(0).standard_normal(vertices.shape)
    found = crossings_of(vertices, triangles)
    np.testing.assert_array_equal(found, counted_pair_by_pair(vertices, triangles))
    assert (found.sum() > 0) == (rough > 0.0)


def test_balls_that_reach_into_each_other_cross_and_balls_apart_do_not() -> None:
    ball, other = icosphere(2), icosphere(2, 0.9)
    shifted = other[0] + np.array([0.31, 0.29, 0.3])
    both = joined(ball, (shifted, other[1]))
    found = crossings_of(*both)
    np.testing.assert_array_equal(found, counted_pair_by_pair(*both))
    assert found.sum() > 50
    assert crossings_of(*joined(ball, (other[0] + np.array([2.0, 0.0, 0.0]), other[1]))).sum() == 0


def test_one_inside_the_other_does_not_cross() -> None:
    assert crossings_of(*joined(icosphere(3), icosphere(3, 0.9))).sum() == 0


def test_what_only_touches_does_not_cross() -> None:
    for place in ((1.0, 0.0, 0.0), (1.0, 1.0, 0.0), (1.0, 1.0, 1.0)):  # by a side, an edge, a corner
        assert crossings_of(*joined(cube(), cube(place))).sum() == 0


@pytest.mark.slow
def test_a_corner_drawn_through_the_surface_crosses_even_its_neighbours_neighbours() -> None:
    vertices, triangles = lattice_torus()
    assert crossings_of(vertices, triangles).sum() == 0
    drawn = vertices.copy()
    top = int(drawn[:, 2].argmax())
    drawn[top] += np.array([0.013, 0.007, -1.0])  # out at the underside
    found = crossings_of(drawn, triangles)
    np.testing.assert_array_equal(found, counted_pair_by_pair(drawn, triangles))
    own = (triangles == top).any(1)
    assert (found[own] > 0).all() and found[own].sum() == found[~own].sum() > 0


def test_nothing_crosses_in_an_empty_mesh() -> None:
    assert len(crossings_of(np.zeros((0, 3)), np.zeros((0, 3), np.int32))) == 0
