"""Poses as threestudio's program has them in degrees, written out again in tests/reference/tiny_zero123.py."""

from __future__ import annotations

import math

import pytest
import torch
from reference.tiny_zero123 import pose_by_degrees

from dreamfusion_engine.config.stages.reference import KNOWN_POSES, KnownPose
from dreamfusion_engine.guidance.relative_poses import relative_poses
from dreamfusion_engine.pictures.viewpoint import AZIMUTHS

CAMERAS = [(0.0, 0.0), (30.0, 20.0), (90.0, -10.0), (-150.0, 80.0), (359.0, 45.0), (180.0, 5.0)]


@pytest.mark.parametrize("convention", KNOWN_POSES)
@pytest.mark.parametrize("picture", [(0.0, 0.0), (270.0, 5.0), (-30.0, 40.0)])
def test_they_are_those_of_the_published_program(picture: tuple[float, float], convention: KnownPose) -> None:
    azimuth, elevation = (torch.deg2rad(torch.tensor(each)) for each in zip(*CAMERAS, strict=True))
    found = relative_poses(azimuth, elevation, math.radians(picture[0]), math.radians(picture[1]), convention)
    wanted = [pose_by_degrees(*camera, *picture, convention == "stable-zero123") for camera in CAMERAS]
    torch.testing.assert_close(found, torch.tensor(wanted), atol=1e-5, rtol=1e-5)


def test_the_pictures_own_camera_has_no_turn_and_the_conventions_differ_there() -> None:
    here = torch.tensor([math.radians(AZIMUTHS["left"])]), torch.tensor([math.radians(20.0)])
    plain, stable = (relative_poses(*here, float(here[0]), float(here[1]), each) for each in KNOWN_POSES)
    torch.testing.assert_close(plain, torch.tensor([[0.0, 0.0, 1.0, 0.0]]))
    torch.testing.assert_close(stable, torch.tensor([[0.0, 0.0, 1.0, math.radians(70.0)]]))


def test_a_higher_camera_has_a_smaller_polar_angle_and_a_turn_is_counter_clockwise() -> None:
    """As seen from above, from the front (-Y) to the right (+X)."""
    pose = relative_poses(torch.tensor([0.5 * math.pi]), torch.tensor([0.3]), 0.0, 0.0, "zero123")[0]
    assert float(pose[0]) == pytest.approx(-0.3) and float(pose[1]) == pytest.approx(1.0)
