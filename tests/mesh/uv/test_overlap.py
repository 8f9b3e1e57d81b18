"""Overlap of UV triangles: exact cases, and a count of random points as the other way to the same area."""

import numpy as np
import pytest

from dreamfusion_engine.mesh.uv.overlap import overlapping_pairs, shared_area, uv_areas, uv_overlap, without_overlap


def test_triangles_that_share_an_edge_or_corner_do_not_overlap() -> None:
    a, b, c, d = np.array([0.1, 0.1]), np.array([0.5, 0.1]), np.array([0.5, 0.5]), np.array([0.1, 0.5])
    fan = np.array([[a, b, c], [a, c, d], [c, [0.9, 0.5], [0.9, 0.9]]])
    assert len(overlapping_pairs(fan)) == 0
    assert uv_overlap(fan) == 0.0


def test_half_covered_triangles_share_their_exact_area() -> None:
    p = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    q = p + np.array([0.5, 0.0])
    assert shared_area(p, q) == pytest.approx(0.125)
    assert shared_area(p, q[::-1]) == pytest.approx(0.125)  # whichever way they turn
    assert shared_area(p, p) == pytest.approx(0.5)
    assert shared_area(p, p + 2.0) == 0.0
    assert uv_overlap(np.stack([p, q])) == pytest.approx(0.125)
    assert overlapping_pairs(np.stack([p, q, p + 3.0])).tolist() == [[0, 1]]


def test_a_triangle_within_another_is_found() -> None:
    large = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    small = 0.1 * large + 0.2
    assert overlapping_pairs(np.stack([small, large])).tolist() == [[0, 1]]
    assert shared_area(small, large) == pytest.approx(0.005)


@pytest.mark.slow
def test_pairs_and_area_agree_with_counting_points() -> None:
    generator = np.random.default_rng(3)
    uv = generator.random((40, 1, 2)) * 0.8 + 0.2 * generator.random((40, 3, 2))
    points = generator.random((200_000, 2))
    inside = np.zeros((len(points), len(uv)), bool)
    for k, (a, b, c) in enumerate(uv):
        turn = lambda o, e: (e[0] - o[0]) * (points[:, 1] - o[1]) - (e[1] - o[1]) * (points[:, 0] - o[0])  # noqa: B023, E731
        sides = np.stack([turn(a, b), turn(b, c), turn(c, a)])
        inside[:, k] = (sides > 0.0).all(0) | (sides < 0.0).all(0)
    both = inside.T.astype(np.float64) @ inside / len(points)
    counted = {(i, j) for i in range(40) for j in range(i + 1, 40) if both[i, j] > 1e-4}
    found = {(int(i), int(j)) for i, j in overlapping_pairs(uv)}
    assert counted <= found
    assert all(shared_area(uv[i], uv[j]) < 1e-3 for i, j in found - counted)
    area = sum(both[i, j] for i in range(40) for j in range(i + 1, 40))
    assert uv_overlap(uv) == pytest.approx(area / np.abs(uv_areas(uv)).sum(), rel=0.05)


def test_a_fold_shrinks_until_nothing_overlaps() -> None:
    large = np.array([[0.1, 0.1], [0.6, 0.1], [0.1, 0.6]])
    folded = np.array([[0.1, 0.1], [0.6, 0.1], [0.35, 0.13]])  # mostly over the large one
    sticking_out = np.array([[0.6, 0.1], [0.3, 0.35], [0.7, 0.4]])
    uv = np.stack([large, sticking_out])
    assert len(overlapping_pairs(uv)) == 1
    better = without_overlap(uv)
    assert len(overlapping_pairs(better)) == 0
    np.testing.assert_allclose(better[0], large, atol=1e-7)
    # A triangle wholly on another has nowhere to go; it is left for the caller to move.
    assert len(overlapping_pairs(without_overlap(np.stack([large, folded])))) in (0, 1)
