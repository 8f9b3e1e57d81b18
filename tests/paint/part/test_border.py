"""The blend at the border of a part, against closed forms on a plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from paint.surfaces import plane

from dreamfusion_engine.paint.part.border import NARROW, Border, smooth_step


def half_of(cells: int, width: float) -> tuple[Border, NDArray[np.float64], NDArray[np.bool_]]:
    """A square from -1 to 1 of which the half at +X is the part, its corners split as files have them."""
    vertices, triangles, _ = plane(cells)
    corners = vertices[triangles].reshape(-1, 3)
    inside = vertices[triangles].mean(1)[:, 0] > 0.0
    return Border(corners, np.arange(len(corners)).reshape(-1, 3), inside, width), corners, inside


def test_the_weight_is_the_smooth_step_of_the_distance_to_the_line() -> None:
    for cells, width in ((2, 0.3), (8, 0.3), (8, 0.05)):
        border, corners, inside = half_of(cells, width)
        rng = np.random.default_rng(0)
        which = rng.choice(np.flatnonzero(inside), 2000)
        share = rng.dirichlet(np.ones(3), 2000)
        points = np.einsum("nc,nci->ni", share, corners.reshape(-1, 3, 3)[which])
        np.testing.assert_allclose(border.distance(points), points[:, 0], atol=1e-6)
        x = np.clip(points[:, 0] / width, 0.0, 1.0)
        np.testing.assert_allclose(border.weight(points, which), 3 * x**2 - 2 * x**3, atol=1e-5)


def test_it_rises_from_0_to_1_without_a_step() -> None:
    x = np.linspace(-0.5, 1.5, 401)
    values = smooth_step(x)
    assert values[0] == 0.0 and values[-1] == 1.0 and smooth_step(np.array([0.5]))[0] == 0.5
    assert (np.diff(values) >= 0.0).all() and np.diff(values).max() < 0.01


def test_a_width_of_nothing_is_a_sharp_border() -> None:
    border, corners, inside = half_of(4, 0.0)
    which = np.flatnonzero(inside)
    assert (border.weight(corners.reshape(-1, 3, 3)[which].mean(1), which) == 1.0).all()


def test_a_narrow_strip_still_changes_in_its_middle() -> None:
    """One column of eight, 0.25 wide: a blend of 0.5 would leave nothing of the change."""
    vertices, triangles, _ = plane(8)
    middle = vertices[triangles].mean(1)[:, 0]
    inside = (middle > 0.0) & (middle < 0.25)
    border = Border(vertices, triangles, inside, 0.5)
    deepest = 0.25 / 3.0  # of the triangles' middles
    np.testing.assert_allclose(border.width[inside], NARROW * deepest, rtol=1e-5)
    which = np.flatnonzero(inside)[:1]
    assert border.weight(np.array([[0.125, 0.0, 0.0]]), which)[0] == 1.0


def test_a_piece_that_nothing_touches_has_no_border() -> None:
    """A second square, one thousandth behind the border of the first: it changes up to its rim."""
    vertices, triangles, _ = plane(2)
    both = np.concatenate([vertices, vertices + [0.0, 1e-3, 0.0]])
    all_of_them = np.concatenate([triangles, triangles + len(vertices)])
    inside = np.concatenate([vertices[triangles].mean(1)[:, 0] > 0.0, np.ones(len(triangles), bool)])
    border = Border(both, all_of_them, inside, 0.3)
    assert len(border.edges) == 2
    which = np.arange(len(triangles), 2 * len(triangles))
    assert (border.weight(both[all_of_them[which]].mean(1), which) == 1.0).all()
    alone = Border(vertices, triangles, np.ones(len(triangles), bool), 0.3)
    assert np.isinf(alone.distance(vertices)).all()
