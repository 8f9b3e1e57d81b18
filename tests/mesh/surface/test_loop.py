"""Loop's limit surface against many steps of subdivision, known masks, and what every such surface does."""

from __future__ import annotations

import numpy as np
import pytest

from dreamfusion_engine.mesh.arrays import Doubles, Ints
from dreamfusion_engine.mesh.surface.icosphere import icosphere
from dreamfusion_engine.mesh.surface.loop import (
    limit_matrix,
    limit_surface,
    subdivided_corners,
    subdivision,
    subdivision_matrix,
)
from dreamfusion_engine.mesh.surface.topology import genus, is_manifold

TETRAHEDRON = np.array([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]])  # every vertex has three neighbours
BIPYRAMID = np.array([[i, (i + 1) % 8, 8] for i in range(8)] + [[(i + 1) % 8, i, 9] for i in range(8)])  # 4 and 8


def control(triangles: Ints, seed: int = 0) -> Doubles:
    return np.random.default_rng(seed).normal(size=(int(triangles.max()) + 1, 3))


def by_hand(points: Doubles, triangles: Ints) -> tuple[Doubles, Ints]:
    """A step of Loop's subdivision with loops and dictionaries, by the rules as the paper states them."""
    edges: dict[tuple[int, int], list[int]] = {}
    around: dict[int, set[int]] = {}
    for face in triangles.tolist():
        for i in range(3):
            a, b, c = face[i], face[(i + 1) % 3], face[(i + 2) % 3]
            edges.setdefault((min(a, b), max(a, b)), []).append(c)
            around.setdefault(a, set()).update((b, c))
    placed = []
    for vertex in range(len(points)):
        n = len(around[vertex])
        inner = 3.0 / 8.0 + np.cos(2.0 * np.pi / n) / 4.0
        alpha = 5.0 / 8.0 - inner * inner
        placed.append((1.0 - alpha) * points[vertex] + alpha * points[sorted(around[vertex])].mean(0))
    number = {}
    for edge, (left, right) in edges.items():
        number[edge] = len(placed)
        placed.append((3.0 * points[list(edge)].sum(0) + points[left] + points[right]) / 8.0)
    faces = []
    for a, b, c in triangles.tolist():
        ab, bc, ca = (number[min(e), max(e)] for e in ((a, b), (b, c), (c, a)))
        faces += [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    return np.array(placed), np.array(faces)


def area(points: Doubles, triangles: Ints) -> float:
    a, b, c = points[triangles].transpose(1, 0, 2)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum())


@pytest.mark.parametrize("triangles", [TETRAHEDRON, BIPYRAMID, icosphere(1)[1]])
def test_a_step_is_the_papers_and_the_limit_is_where_many_of_them_lead(triangles: Ints) -> None:
    """A vertex keeps its number through all steps, so its place can be followed; the distance falls with every step."""
    points = control(triangles)
    once, faces = by_hand(points, triangles)
    made = subdivision(triangles)
    assert area(subdivision_matrix(triangles) @ points, made.triangles) == pytest.approx(area(once, faces))
    limit = limit_matrix(triangles) @ points
    before = np.inf
    for _ in range(5):
        once, faces = (once, faces) if before == np.inf else by_hand(once, faces)
        away = np.abs(once[: len(points)] - limit).max()
        assert away < before
        before = away
    assert away < 0.02 * np.abs(points).max()


@pytest.mark.parametrize("triangles", [TETRAHEDRON, BIPYRAMID])
def test_places_after_steps_lie_on_the_limit_of_the_coarse_mesh(triangles: Ints) -> None:
    """The limit of a subdivided mesh is that of the mesh itself: the coarse vertices' places stay, to the last bits."""
    points = control(triangles, seed=3)
    coarse, own = limit_surface(triangles, 0)
    fine, parts = limit_surface(triangles, 2)
    assert np.array_equal(own, triangles) and len(parts) == 16 * len(triangles)
    np.testing.assert_allclose((fine @ points)[: len(points)], coarse @ points, atol=1e-12)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_weights_are_shares_so_that_moves_turns_and_scales_pass_through(steps: int) -> None:
    triangles = icosphere(1)[1]
    matrix, _ = limit_surface(triangles, steps)
    assert matrix.data.min() > 0.0
    np.testing.assert_allclose(np.asarray(matrix.sum(1)).ravel(), 1.0, atol=1e-12)
    points, rng = control(triangles), np.random.default_rng(1)
    linear, move = rng.normal(size=(3, 3)), rng.normal(size=3)
    np.testing.assert_allclose(matrix @ (points @ linear + move), (matrix @ points) @ linear + move, atol=1e-12)


def test_masks_are_the_known_ones() -> None:
    """Of a regular vertex 5/8 and 1/16, in the limit 1/2 and 1/12; with three neighbours 7/16 and 3/16, 2/5 and 1/5."""
    regular = icosphere(2)[1]
    valence = np.bincount(regular.reshape(-1))
    vertex = int(np.flatnonzero(valence == 6)[-1])
    for matrix, own, beside in ((subdivision_matrix(regular), 5 / 8, 1 / 16), (limit_matrix(regular), 1 / 2, 1 / 12)):
        row = matrix[vertex].toarray().ravel()
        assert row[vertex] == pytest.approx(own)
        assert sorted(row[np.flatnonzero(row)])[:6] == pytest.approx([beside] * 6)
    tip, far = (matrix.toarray()[0] for matrix in (subdivision_matrix(TETRAHEDRON), limit_matrix(TETRAHEDRON)))
    assert tip == pytest.approx([7 / 16, 3 / 16, 3 / 16, 3 / 16])
    assert far == pytest.approx([2 / 5, 1 / 5, 1 / 5, 1 / 5])


def test_the_papers_sphere_stays_round_closed_and_whole() -> None:
    points, triangles = icosphere(3)
    assert (len(points), len(triangles)) == (642, 1280)
    matrix, fine = limit_surface(triangles, 1)
    radius = np.linalg.norm(matrix @ points, axis=1)
    assert radius.std() < 2e-3 * radius.mean() and 0.97 < radius.mean() < 1.0
    assert is_manifold(fine) and genus(fine) == 0 and matrix.shape == (2562, 642)


def test_corners_are_divided_as_the_triangles_are() -> None:
    points, triangles = icosphere(1)
    step = subdivision(triangles)
    flat = np.concatenate([points, points[step.edges].mean(1)])
    np.testing.assert_allclose(subdivided_corners(points[triangles]), flat[step.triangles], atol=1e-12)


@pytest.mark.parametrize("triangles", [TETRAHEDRON[:3], TETRAHEDRON[:, ::-1] + 1])
def test_an_open_surface_or_a_loose_vertex_is_refused(triangles: Ints) -> None:
    with pytest.raises(ValueError, match="closed surface"):
        limit_surface(triangles, 1)
