"""Which vertices of a part may move, on surfaces whose distances are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from paint.surfaces import Mesh, part_of, plane, unwrapped_ball

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.surface.topology import is_closed
from dreamfusion_engine.paint.canvas import Canvas, canvas_of
from dreamfusion_engine.paint.part.border import smooth_step
from dreamfusion_engine.refinement.part.welded import welded_part


def split(mesh: Mesh) -> Mesh:
    """The same surface with a vertex for each corner, as a file has at seams everywhere."""
    vertices, triangles, uv = mesh
    return vertices[triangles].reshape(-1, 3), np.arange(3 * len(triangles), dtype=np.int32).reshape(-1, 3), uv


def right_of(canvas: Canvas) -> Any:
    return canvas.vertices[canvas.triangles].mean(1)[:, 0] > 0.0


def ones(canvas: Canvas) -> Any:
    return np.ones(len(canvas.vertices), np.float32)


def test_copies_of_a_place_are_one_vertex_and_the_surface_is_closed_again() -> None:
    canvas = canvas_of([part_of(split(unwrapped_ball(2)))], None)
    assert not is_closed(canvas.triangles)
    part = welded_part(canvas, ones(canvas), right_of(canvas), 0.1)
    assert is_closed(part.triangles) and len(part.places) == 66
    np.testing.assert_array_equal(part.places[part.place], canvas.vertices)
    np.testing.assert_array_equal(part.places[part.triangles], canvas.vertices[canvas.triangles])
    np.testing.assert_array_equal(part.normals[part.group], canvas.normals)
    np.testing.assert_array_equal(part.place[canvas.triangles], part.of_group[part.corners])


@pytest.mark.parametrize("made", [plane(32), split(plane(32))], ids=["shared", "split"])
def test_the_freedom_is_the_smooth_step_of_the_distance_to_the_border(made: Mesh) -> None:
    canvas = canvas_of([part_of(made)], None)
    part = welded_part(canvas, ones(canvas), right_of(canvas), 0.3)
    expected = smooth_step(part.places[:, 0].astype(np.float64) / 0.3)
    np.testing.assert_allclose(part.freedom, expected, atol=1e-5)
    assert not part.freedom[part.places[:, 0] <= 0.0].any() and part.freedom.max() == 1.0


def test_a_width_of_nothing_still_holds_the_border() -> None:
    canvas = canvas_of([part_of(plane(8))], None)
    part = welded_part(canvas, ones(canvas), right_of(canvas), 0.0)
    np.testing.assert_array_equal(part.freedom, (part.places[:, 0] > 1e-6).astype(np.float32))


def test_weights_of_the_file_limit_the_freedom() -> None:
    canvas = canvas_of([part_of(plane(8))], None)
    chosen = np.where(canvas.vertices[:, 2] > 0.0, 0.25, 1.0).astype(np.float32)
    part = welded_part(canvas, chosen, np.ones(len(canvas.triangles), bool), 0.1)
    np.testing.assert_array_equal(part.freedom, np.where(part.places[:, 2] > 0.0, 0.25, 1.0))


def test_a_normal_that_a_face_outside_has_too_stays() -> None:
    canvas = canvas_of([part_of(plane(8))], None)
    inside = right_of(canvas)
    part = welded_part(canvas, ones(canvas), inside, 0.1)
    assert not part.turns[part.corners[~inside]].any()
    assert part.turns[part.corners[inside]].any(1).mean() > 0.8


def test_a_part_that_is_all_border_is_refused() -> None:
    canvas = canvas_of([part_of(plane(4))], None)
    one = np.arange(len(canvas.triangles)) == 10  # in the middle: each of its vertices is another triangle's too
    with pytest.raises(InputError) as refused:
        welded_part(canvas, ones(canvas), one, 0.1)
    assert refused.value.code == "paint.part" and "subdivide" in refused.value.fix


def test_a_piece_that_stands_alone_is_free_to_its_rim() -> None:
    first, second = plane(4), plane(4)
    apart = (second[0] + [5.0, 0.0, 0.0], second[1], second[2])
    canvas = canvas_of([part_of(first), part_of(apart, "other")], None)
    inside = np.repeat([True, False], [len(first[1]), len(second[1])])
    part = welded_part(canvas, ones(canvas), inside, 0.2)
    np.testing.assert_array_equal(part.freedom, (part.places[:, 0] < 0.0).astype(np.float32))
