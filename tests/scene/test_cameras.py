from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.scene.cameras import (
    Cameras,
    camera_rays,
    look_at,
    orbit_cameras,
    pixel_rays,
    projected,
    sample_cameras,
    spherical_position,
    turntable_cameras,
)

CPU = torch.device("cpu")


def camera(azimuth: float = 0.0, elevation: float = 0.0, distance: float = 3.0, fov: float = 0.7) -> Cameras:
    return orbit_cameras(*(torch.tensor([v]) for v in (azimuth, elevation, distance, fov)))


def pixel_of(point: list[float], view: Cameras, height: int, width: int) -> tuple[float, float]:
    """(row, column) at which a pinhole camera sees a world point: x / depth, y / depth, times the focal length."""
    local = view.rotation[0].T @ (torch.tensor(point) - view.position[0])
    x, y = (local[:2] / -local[2] * view.focal[0]).tolist()
    return (0.5 - y) * height - 0.5, (0.5 + x * height / width) * width - 0.5


def distance_to(ray: tuple[Tensor, Tensor], point: list[float]) -> float:
    origin, direction = ray
    return float(torch.linalg.cross(torch.tensor(point) - origin, direction).norm())


@pytest.mark.parametrize(
    ("azimuth", "elevation", "expected"),
    [
        (0.0, 0.0, [0.0, -2.0, 0.0]),  # the front is -Y
        (0.5 * math.pi, 0.0, [2.0, 0.0, 0.0]),
        (math.pi, 0.0, [0.0, 2.0, 0.0]),
        (1.5 * math.pi, 0.0, [-2.0, 0.0, 0.0]),
        (0.3, 0.5 * math.pi, [0.0, 0.0, 2.0]),
    ],
)
def test_azimuth_goes_from_the_front_to_plus_x_and_elevation_up(
    azimuth: float, elevation: float, expected: list[float]
) -> None:
    found = spherical_position(torch.tensor([azimuth]), torch.tensor([elevation]), torch.tensor([2.0]))
    torch.testing.assert_close(found, torch.tensor([expected]), rtol=0.0, atol=1e-6)


def test_every_camera_frame_is_right_handed_and_orthonormal() -> None:
    cameras = sample_cameras(64, CameraConfig(elevation_deg=(-90.0, 90.0)), torch.Generator().manual_seed(0))
    identity = cameras.rotation.transpose(1, 2) @ cameras.rotation
    torch.testing.assert_close(identity, torch.eye(3).expand(64, 3, 3), rtol=0.0, atol=1e-5)
    torch.testing.assert_close(torch.linalg.det(cameras.rotation), torch.ones(64))


def test_seen_from_the_front_plus_x_is_right_and_plus_z_up() -> None:
    row, column = pixel_of([0.5, 0.0, 0.3], camera(), 64, 64)
    assert column > 32.0
    assert row < 31.0


def test_seen_from_plus_x_the_back_is_right() -> None:
    _, column = pixel_of([0.0, 0.5, 0.0], camera(azimuth=0.5 * math.pi), 64, 64)
    assert column > 32.0


def test_the_top_view_has_the_front_at_the_bottom_and_plus_x_right() -> None:
    top = camera(elevation=0.5 * math.pi)
    assert pixel_of([0.0, -0.5, 0.0], top, 64, 64)[0] > 32.0
    assert pixel_of([0.5, 0.0, 0.0], top, 64, 64)[1] > 32.0


def test_exactly_straight_down_is_resolved_the_same_way() -> None:
    rotation = look_at(torch.tensor([[0.0, 0.0, 2.0]]), torch.zeros(1, 3), torch.tensor([[0.0, 0.0, 1.0]]))
    torch.testing.assert_close(rotation[0], torch.eye(3))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 40), (40, 24)])
def test_the_ray_of_the_pixel_that_shows_a_point_passes_the_point(height: int, width: int) -> None:
    view = camera(azimuth=0.7, elevation=0.4)
    origins, directions = (r.view(height, width, 3) for r in camera_rays(view, height, width))
    pixel = 3.0 / (float(view.focal) * height)  # world width of a pixel at the object's distance
    for point in ([0.0, 0.0, 0.0], [0.4, -0.2, 0.3], [-0.3, 0.4, -0.2]):
        row, column = (round(v) for v in pixel_of(point, view, height, width))
        here = distance_to((origins[row, column], directions[row, column]), point)
        assert here < 0.8 * pixel * 1.2
        beside = distance_to((origins[row, column + 3], directions[row, column + 3]), point)
        assert beside > 2.0 * pixel


def test_rays_of_some_pixels_are_those_of_the_whole_pictures() -> None:
    cameras = turntable_cameras(3, elevation=0.4, config=CameraConfig(), device=torch.device("cpu"))
    for views in (cameras, cameras.rows(slice(1, 2))):
        pixels = torch.arange(0, len(views) * 35, 4)
        expected = [x.index_select(0, pixels) for x in camera_rays(views, 5, 7)]
        for found, whole in zip(pixel_rays(views, 5, 7, pixels), expected, strict=True):
            torch.testing.assert_close(found, whole, rtol=1e-6, atol=1e-6)
            assert found.is_contiguous()


def test_rays_are_unit_and_start_at_the_camera() -> None:
    cameras = turntable_cameras(3, elevation=0.2, config=CameraConfig(), device=CPU)
    origins, directions = camera_rays(cameras, 5, 7)
    assert origins.shape == directions.shape == (3 * 5 * 7, 3)
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(105))
    assert torch.equal(origins.view(3, 35, 3), cameras.position[:, None].expand(3, 35, 3))


def test_the_field_of_view_is_the_vertical_angle_between_the_pictures_edges() -> None:
    _, directions = camera_rays(camera(fov=0.8), 1001, 1)
    angle = torch.acos((directions[0] * directions[-1]).sum())
    assert float(angle) == pytest.approx(0.8, abs=2e-3)  # pixel centres lie half a pixel inside the edges


def test_the_middle_ray_meets_the_target() -> None:
    target = torch.tensor([[0.2, -0.1, 0.3]])
    azimuth, elevation, distance, fov = (torch.tensor([v]) for v in (0.5, 0.3, 3.0, 0.7))
    view = orbit_cameras(azimuth, elevation, distance, fov, target)
    origins, directions = camera_rays(view, 3, 3)
    assert distance_to((origins[4], directions[4]), target[0].tolist()) < 1e-5


def test_random_cameras_stay_in_their_ranges() -> None:
    config = CameraConfig(distance=(2.0, 2.5), elevation_deg=(-5.0, 60.0), fov_deg=(40.0, 50.0))
    cameras = sample_cameras(500, config, torch.Generator().manual_seed(0))
    distance = cameras.position.norm(dim=-1)
    fov = 2.0 * torch.rad2deg(torch.atan(0.5 / cameras.focal))
    elevation = torch.rad2deg(cameras.elevation)
    for values, (low, high) in ((distance, (2.0, 2.5)), (fov, (40.0, 50.0)), (elevation, (-5.0, 60.0))):
        assert float(values.min()) >= low - 1e-3
        assert float(values.max()) <= high + 1e-3
        assert float(values.max() - values.min()) > 0.9 * (high - low)
    assert (cameras.azimuth >= 0.0).all()
    assert (cameras.azimuth < 2.0 * math.pi).all()
    torch.testing.assert_close(torch.asin(cameras.position[:, 2] / distance), cameras.elevation, rtol=0.0, atol=1e-5)


def test_the_views_of_one_step_see_different_sides() -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        azimuth = sample_cameras(4, CameraConfig(), generator).azimuth.sort().values
        gaps = torch.diff(azimuth, append=azimuth[:1] + 2.0 * math.pi)
        assert float(gaps.max()) <= math.pi + 1e-5  # one in each quarter: no two further apart than two quarters


@pytest.mark.slow
def test_all_sides_are_seen_equally_often() -> None:
    generator = torch.Generator().manual_seed(2)
    azimuth = torch.cat([sample_cameras(1, CameraConfig(), generator).azimuth for _ in range(2000)])
    counts = torch.histc(azimuth, bins=8, min=0.0, max=2.0 * math.pi)
    assert ((counts - 250.0).abs() < 75.0).all()


def test_a_seed_gives_the_same_cameras() -> None:
    first, again = (sample_cameras(3, CameraConfig(), torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.position, again.position)
    assert torch.equal(first.rotation, again.rotation)


def test_a_turntable_starts_at_the_front_and_goes_round_in_equal_steps() -> None:
    cameras = turntable_cameras(4, elevation=0.0, config=CameraConfig(distance=(2.0, 2.0)), device=CPU)
    expected = torch.tensor([[0.0, -2.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [-2.0, 0.0, 0.0]])
    torch.testing.assert_close(cameras.position, expected, rtol=0.0, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(6, 6), (4, 10), (9, 3)])
def test_points_on_rays_are_projected_onto_the_middles_of_their_pixels(height: int, width: int) -> None:
    azimuth, elevation = torch.tensor([0.3, 2.0]), torch.tensor([0.2, -0.9])
    cameras = orbit_cameras(azimuth, elevation, torch.tensor([3.0, 4.5]), torch.tensor([0.7, 1.1]))
    origins, directions = camera_rays(cameras, height, width)
    way = 0.5 + 4.0 * torch.rand(len(origins), 1, generator=torch.Generator().manual_seed(0))
    found = projected((origins + way * directions).view(2, -1, 3), cameras, height, width)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    middles = torch.stack([columns + 0.5, rows + 0.5], -1).view(1, -1, 2).expand(2, -1, -1)
    torch.testing.assert_close(found[..., :2], middles, rtol=0.0, atol=1e-4)
    views = -cameras.rotation[:, :, 2].repeat_interleave(height * width, 0)
    torch.testing.assert_close(found[..., 2].reshape(-1), (way * directions * views).sum(-1), rtol=1e-5, atol=1e-5)


def test_a_point_behind_the_camera_has_no_distance_ahead() -> None:
    view = camera()
    behind = view.position[:, None] * 1.5
    assert float(projected(behind, view, 8, 8)[0, 0, 2]) == pytest.approx(-1.5)
