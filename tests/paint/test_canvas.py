"""The canvas: all parts in one box as they stand to each other, the front to -Y, and nothing that is no surface."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mesh.shapes import icosphere
from paint.surfaces import canvas, mirrored, moved, part_of, plane

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.framing import HALF_LENGTH, REACH, frame_of
from dreamfusion_engine.paint.canvas import DeviceCanvas, canvas_of

CPU = torch.device("cpu")


def test_parts_keep_their_place_to_each_other() -> None:
    parts = [plane(2), moved(plane(1, size=1.0), (4.0, 3.0, -2.0)), moved(plane(1), (0.0, -1.0, 5.0))]
    made = canvas(*parts, texture=16)
    given = np.concatenate([vertices for vertices, _, _ in parts])
    shift = made.vertices - given * (np.ptp(made.vertices[:, 0]) / np.ptp(given[:, 0]))
    np.testing.assert_allclose(shift, np.tile(shift[:1], (len(given), 1)), atol=1e-5)
    assert made.first == (0, 8, 10, 12)
    for number, (vertices, triangles, _) in enumerate(parts):
        rows = made.triangles[made.triangles_of(number)]
        np.testing.assert_array_equal(given[rows], vertices[triangles])


def test_the_longest_half_side_is_as_long_as_cameras_expect() -> None:
    made = canvas(plane(1, size=30.0), texture=16)
    low, high = made.vertices.min(0), made.vertices.max(0)
    np.testing.assert_allclose(0.5 * (low + high), 0.0, atol=1e-6)
    length = np.linalg.norm(made.vertices, axis=1).max()
    assert 0.5 * (high - low).max() <= HALF_LENGTH + 1e-6 and length <= REACH + 1e-6
    assert max(0.5 * (high - low).max() / HALF_LENGTH, length / REACH) > 1.0 - 1e-5


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e6, 1e30])
def test_no_scale_is_too_small_or_too_large(scale: float) -> None:
    vertices, triangles = icosphere(1)
    given = scale * (vertices + 3.0)
    made = frame_of(given, triangles).to_box(given)
    assert np.isfinite(made).all()
    np.testing.assert_allclose(np.abs(made).max(), HALF_LENGTH, rtol=1e-6)


def test_a_front_of_90_degrees_is_the_side_at_plus_x() -> None:
    """Counter-clockwise from above, from -Y: it is +X that then faces the front camera."""
    vertices, triangles, uv = plane(1)
    nose = moved((0.1 * vertices, triangles, uv), (1.0, 0.0, 0.0))
    made = canvas(plane(1), nose, texture=16, front_deg=90.0)
    there = made.vertices[4:].mean(0) - made.vertices[:4].mean(0)
    np.testing.assert_allclose(there / np.linalg.norm(there), [0.0, -1.0, 0.0], atol=1e-5)


def test_a_whole_turn_changes_nothing() -> None:
    here, there = (canvas(plane(2), texture=16, front_deg=angle) for angle in (0.0, 360.0))
    np.testing.assert_allclose(there.vertices, here.vertices, atol=1e-6)


def test_normals_turn_with_the_front() -> None:
    mesh = plane(1)
    slanted = np.tile([0.6, -0.8, 0.0], (4, 1)).astype(np.float32)
    made = canvas_of([part_of(mesh, normals=slanted), part_of(mesh)], 16, 90.0)
    np.testing.assert_allclose(made.normals[:4], np.tile([-0.8, -0.6, 0.0], (4, 1)), atol=1e-6)
    np.testing.assert_allclose(made.normals[4:], np.tile([-1.0, 0.0, 0.0], (4, 1)), atol=1e-6)


def test_vertices_that_no_triangle_uses_do_not_count() -> None:
    vertices, triangles, uv = plane(1)
    more = np.concatenate([vertices, [[1e6, -1e6, 1e6]]])
    here, there = canvas((vertices, triangles, uv), texture=16), canvas((more, triangles, uv), texture=16)
    np.testing.assert_array_equal(there.vertices[:4], here.vertices)
    np.testing.assert_array_equal(there.maps[0].positions, here.maps[0].positions)


def flat_meshes() -> list[tuple[str, np.ndarray]]:
    line = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    return [("a point", np.ones((3, 3))), ("a line", line), ("a line aslant", line @ np.ones((3, 3)) + 0.1)]


@pytest.mark.parametrize(("name", "vertices"), flat_meshes())
def test_what_has_no_surface_is_refused(name: str, vertices: np.ndarray) -> None:
    mesh = vertices, np.array([[0, 1, 2]], np.int32), np.array([[[0, 0], [1, 0], [0, 1]]], np.float32)
    with pytest.raises(InputError) as refused:
        canvas(mesh, texture=16)
    assert refused.value.code == "input.mesh" and refused.value.what and refused.value.why and refused.value.fix


def test_normals_are_numbers_where_triangles_have_no_area() -> None:
    vertices, triangles, uv = plane(2)
    triangles[0] = triangles[0, 0]
    made = canvas((vertices, triangles, uv), texture=16)
    np.testing.assert_allclose(np.linalg.norm(made.normals, axis=-1), 1.0, atol=1e-5)


def test_only_parts_that_share_texels_are_looked_up_by_texel() -> None:
    made = canvas(plane(2), mirrored(4), moved(plane(1), (0.0, 2.0, 0.0)), texture=32)
    sent = DeviceCanvas.of(made, CPU)
    assert sent.positions.shape == (1, 32, 32, 3)
    rows = [sent.row[made.triangles_of(part)] for part in range(3)]
    assert [sorted(set(each.tolist())) for each in rows] == [[-1], [0], [-1]]
    owners = sent.owner[sent.owner >= 0]
    assert made.first[1] <= int(owners.min()) and int(owners.max()) < made.first[2]
    assert not len(DeviceCanvas.of(canvas(plane(2)), CPU).positions)
