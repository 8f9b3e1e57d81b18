"""The cameras of a step: their ranges, the share of low ones, and the object off the middle."""

from __future__ import annotations

import math

import pytest
import torch

from dreamfusion_engine.clip_mesh.views import sample_offset_cameras, sample_sphere_views
from dreamfusion_engine.config.presets import preset
from dreamfusion_engine.config.recipes import CLIP_MESH_RECIPE
from dreamfusion_engine.config.stages import CameraConfig, SphereConfig

CAMERA = CameraConfig(distance=(5.0, 12.0), fov_deg=(30.0, 90.0), elevation_deg=(0.0, 90.0))
COUNT = 4000


def test_they_are_drawn_as_the_paper_says() -> None:
    cameras = sample_offset_cameras(COUNT, CAMERA, SphereConfig(offset=0.0), torch.Generator().manual_seed(0))
    distance = cameras.position.norm(dim=-1)
    assert 5.0 <= float(distance.min()) < 5.1 and 11.9 < float(distance.max()) <= 12.0
    fov = 2.0 * torch.rad2deg(torch.atan(0.5 / cameras.focal))
    assert float(fov.min()) >= 30.0 - 1e-3 and float(fov.max()) <= 90.0 + 1e-3
    assert float(fov.mean()) == pytest.approx(60.0, abs=1.5)
    share = cameras.elevation / (0.5 * math.pi)
    assert float(share.mean()) == pytest.approx(1.0 / 6.0, abs=0.01), "the mean of Beta(1, 5)"
    assert float(share.std()) == pytest.approx(math.sqrt(5.0 / (36.0 * 7.0)), abs=0.01)
    around = torch.histc(cameras.azimuth, 8, 0.0, 2.0 * math.pi)
    assert float(around.min()) > 0.8 * COUNT / 8
    looks = -cameras.rotation[:, :, 2]
    torch.testing.assert_close(looks, -cameras.position / distance[:, None], atol=1e-5, rtol=0.0)


def test_cameras_move_so_that_the_object_is_off_the_middle_to_the_sides_and_up() -> None:
    still, moved = (
        sample_offset_cameras(COUNT, CAMERA, SphereConfig(offset=offset), torch.Generator().manual_seed(0))
        for offset in (0.0, 2.0)
    )
    shift = still.position - moved.position
    assert torch.equal(still.rotation, moved.rotation) and torch.equal(still.azimuth, moved.azimuth)
    assert float(shift[:, 1].abs().max()) < 1e-6
    for axis in (0, 2):
        assert 1.9 < float(shift[:, axis].max()) <= 2.0 and -2.0 <= float(shift[:, axis].min()) < -1.9
        assert abs(float(shift[:, axis].mean())) < 0.1


def test_views_of_a_step_can_be_divided_and_have_no_jitter() -> None:
    config = preset("draft", "a mug", recipe=CLIP_MESH_RECIPE)
    views = sample_sphere_views(config, 6, torch.Generator().manual_seed(0))
    part = views.rows(2, 3).on(torch.device("cpu"))
    assert len(views) == 6 and len(part) == 3 and part.jitter.numel() == 0
    assert torch.equal(part.light, views.light[2:5]) and torch.equal(part.cameras.position, views.cameras.position[2:5])
