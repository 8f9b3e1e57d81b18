"""An artist's meshes in the box and back: analytic cases and round trips."""

from __future__ import annotations

import numpy as np
import pytest
from mesh.shapes import cube

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.framing import HALF_LENGTH, REACH, frame_of


@pytest.mark.parametrize("front", [0.0, 37.0, 90.0, -180.0])
def test_the_way_back_undoes_the_way_into_the_box(front: float) -> None:
    vertices, triangles = cube((3.0, -7.0, 100.0), 12.5)
    frame = frame_of(vertices, triangles, front)
    assert np.allclose(frame.from_box(frame.to_box(vertices)), vertices, rtol=0.0, atol=1e-9)


def test_the_box_is_centred_and_nothing_reaches_further_than_cameras_frame() -> None:
    long, triangles = cube()
    long = long * np.array([1.0, 1.0, 10.0]) + 5.0
    placed = frame_of(long, triangles).to_box(long)
    assert np.allclose(placed.min(0), -placed.max(0))
    assert placed.max() == pytest.approx(HALF_LENGTH)
    corners, triangles = cube()  # whose corners would lie at sqrt(3) HALF_LENGTH
    assert np.linalg.norm(frame_of(corners, triangles).to_box(corners), axis=1).max() == pytest.approx(REACH)


@pytest.mark.parametrize(("front", "side"), [(0.0, (0, -1, 0)), (90.0, (1, 0, 0)), (180.0, (0, 1, 0))])
def test_the_side_that_is_named_as_the_front_comes_to_minus_y(front: float, side: tuple[int, int, int]) -> None:
    vertices, triangles = cube((-0.5, -0.5, -0.5))
    frame = frame_of(vertices, triangles, front)
    assert np.allclose(frame.turned(np.array([side])), [[0, -1, 0]], atol=1e-12)


def test_vertices_that_no_triangle_uses_do_not_count() -> None:
    vertices, triangles = cube()
    far = np.concatenate([vertices, [[1000.0, 0.0, 0.0]]])
    assert frame_of(far, triangles).scale == frame_of(vertices, triangles).scale


def test_a_mesh_in_one_point_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="no surface") as refused:
        frame_of(np.ones((3, 3)), np.array([[0, 1, 2]]))
    assert refused.value.code == "input.mesh"
