"""Cut-outs are put before cameras at the size and the place that they have there."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pictures.painting import disc

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.pictures.placing import (
    HALF_LENGTH,
    HALF_LENGTH_ALONG,
    TARGET_PIXELS,
    Placement,
    ellipsoid_boxes,
    fit_ellipsoid,
    longest_half_axis,
    object_box,
    picture_cameras,
    placed,
    placements,
)
from dreamfusion_engine.pictures.viewpoint import Viewpoint
from dreamfusion_engine.scene.cameras import projected

CAMERA = CameraConfig()
DISTANCE = 0.5 * sum(CAMERA.distance)
FOCAL = 0.5 / math.tan(math.radians(0.25 * sum(CAMERA.fov_deg)))
AROUND = [Viewpoint(0.0), Viewpoint(90.0, 20.0), Viewpoint(200.0, -30.0)]


def with_mask(
    mask: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.concatenate([np.full((*mask.shape, 3), 0.5, np.float32), mask[..., None]], -1)


def test_a_balls_picture_is_the_disc_of_the_tangent_cone() -> None:
    """tan(asin(r / d)) f from each side."""
    radius = 0.7
    half = FOCAL * math.tan(math.asin(radius / DISTANCE))
    boxes = ellipsoid_boxes(np.full(3, radius), picture_cameras(AROUND, CAMERA))
    assert np.allclose(boxes, [[-half, half, -half, half]] * 3, atol=1e-6)


def test_an_ellipsoids_box_holds_just_its_points() -> None:
    axes = np.array([0.5, 0.9, 0.3])
    cameras = picture_cameras(AROUND, CAMERA)
    directions = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0))
    points = torch.nn.functional.normalize(directions, dim=-1) * torch.tensor(axes, dtype=torch.float32)
    for i, box in enumerate(ellipsoid_boxes(axes, cameras)):
        seen = projected(points[None], cameras.rows(slice(i, i + 1)), 1, 1)[0, :, :2] - 0.5
        low, high = seen.min(0).values.numpy(), seen.max(0).values.numpy()
        assert np.allclose([low[0], high[0], low[1], high[1]], box, atol=1e-3)


@pytest.mark.parametrize("axes", [(0.8, 0.8, 0.8), (0.4, 0.8, 0.35), (0.8, 0.3, 0.6)])
def test_half_axes_are_found_from_boxes_at_any_scale(axes: tuple[float, float, float]) -> None:
    cameras = picture_cameras(AROUND, CAMERA)
    boxes = ellipsoid_boxes(np.array(axes), cameras)
    sizes = np.stack([boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]], -1) * [[90.0], [400.0], [7.0]]
    assert np.allclose(fit_ellipsoid(sizes, cameras), axes, atol=0.03)


@pytest.mark.parametrize("ratio", [0.02, 0.5, 2.0, 50.0])
def test_the_longest_half_axis_is_always_the_same(ratio: float) -> None:
    found = fit_ellipsoid(np.array([[ratio, 1.0]]), picture_cameras(AROUND[:1], CAMERA))
    assert found.max() == pytest.approx(HALF_LENGTH_ALONG) and found.min() > 0.0


def test_pictures_along_one_line_leave_room_for_what_they_do_not_show() -> None:
    front, back, right, top = Viewpoint(0.0), Viewpoint(180.0), Viewpoint(90.0), Viewpoint(0.0, 80.0)
    for seen in ([front], [front, back], [right, Viewpoint(275.0, 10.0)]):
        assert longest_half_axis(picture_cameras(seen, CAMERA)) == HALF_LENGTH_ALONG
    for seen in ([front, right], [front, back, right], [front, top]):
        assert longest_half_axis(picture_cameras(seen, CAMERA)) == HALF_LENGTH


def test_a_discs_place_is_that_of_a_ball() -> None:
    """Off the middle of its picture, of any size: it comes to the middle of the view, as large as a ball's."""
    pixels = with_mask(disc(120, 200, at=(0.4, 0.3), radius=0.25))
    where = placements([pixels], picture_cameras(AROUND[:1], CAMERA))[0]
    half = FOCAL * math.tan(math.asin(HALF_LENGTH_ALONG / DISTANCE))
    assert where.scale * 30.0 == pytest.approx(half, rel=0.02)
    assert abs(where.across) < 1e-6 and abs(where.down) < 1e-6
    view = placed(pixels, where)
    assert view.shape == (TARGET_PIXELS, TARGET_PIXELS, 4)
    left, right, top, bottom = object_box(view[..., 3])
    assert np.allclose([left, right], [(0.5 - half) * TARGET_PIXELS, (0.5 + half) * TARGET_PIXELS], atol=1.0)
    assert np.allclose([top, bottom], [left, right], atol=1.0)


def test_a_picture_is_placed_to_parts_of_a_pixel_and_may_reach_beyond_the_view() -> None:
    pixels = with_mask(disc(80, 80, radius=0.3))
    view = placed(pixels, Placement(scale=1.0 / 160.0, across=0.2, down=-0.1))
    y, x = np.indices(view.shape[:2]) + 0.5
    weight = view[..., 3] / view[..., 3].sum()
    assert float((x * weight).sum()) == pytest.approx(0.7 * TARGET_PIXELS, abs=0.1)
    assert float((y * weight).sum()) == pytest.approx(0.4 * TARGET_PIXELS, abs=0.1)
    assert view[..., 3].mean() == pytest.approx(math.pi * 24**2 / 160**2, rel=0.02)
    assert np.allclose(view[..., :3], 0.5 * view[..., 3:], atol=1e-3)  # premultiplied
    assert placed(pixels, Placement(scale=1.0 / 30.0, across=0.0, down=0.0))[..., 3].min() > 0.99
