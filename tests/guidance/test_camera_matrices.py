"""The camera matrices of MVDream, by hand and against the cameras that render."""

from __future__ import annotations

import math

import pytest
import torch

from dreamfusion_engine.guidance.camera_matrices import camera_matrices
from dreamfusion_engine.scene.cameras import orbit_cameras

HALF, ROOT = 0.5, math.sqrt(0.75)  # sine and cosine of 30 degrees


@pytest.mark.parametrize(
    ("azimuth", "elevation", "rows"),
    [
        (0, 0, [[1, 0, 0, 0], [0, 0, -1, -1], [0, 1, 0, 0]]),  # at -Y: right is +X, up +Z, and it looks along +Y
        (90, 0, [[0, 0, 1, 1], [1, 0, 0, 0], [0, 1, 0, 0]]),  # at +X: right is +Y
        (180, 0, [[-1, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 0]]),  # at +Y: right is -X
        (270, 0, [[0, 0, -1, -1], [-1, 0, 0, 0], [0, 1, 0, 0]]),  # at -X: right is -Y
        (0, 30, [[1, 0, 0, 0], [0, HALF, -ROOT, -ROOT], [0, ROOT, HALF, HALF]]),  # raised: up leans to +Y
        (90, 30, [[0, -HALF, ROOT, ROOT], [1, 0, 0, 0], [0, ROOT, HALF, HALF]]),
        (180, -30, [[-1, 0, 0, 0], [0, HALF, ROOT, ROOT], [0, ROOT, -HALF, -HALF]]),  # lowered: up leans to +Y
    ],
)
def test_the_matrix_of_a_camera_is_what_a_drawing_says(azimuth: int, elevation: int, rows: list[list[float]]) -> None:
    angles = (torch.tensor([math.radians(angle)]) for angle in (azimuth, elevation))
    expected = torch.tensor([*rows, [0, 0, 0, 1]], dtype=torch.float32)
    torch.testing.assert_close(camera_matrices(*angles).view(4, 4), expected, atol=1e-6, rtol=0.0)


def test_it_is_the_camera_that_renders_at_distance_one() -> None:
    generator = torch.Generator().manual_seed(0)
    azimuth, elevation = (scale * torch.rand(50, generator=generator) - 1.5 for scale in (6.0, 3.0))
    distance, fov = 2.0 + torch.rand(50, generator=generator), torch.full((50,), 0.7)
    cameras = orbit_cameras(azimuth, elevation, distance, fov)
    matrices = camera_matrices(azimuth, elevation).view(50, 4, 4)
    torch.testing.assert_close(matrices[:, :3, :3], cameras.rotation, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(matrices[:, :3, 3] * distance[:, None], cameras.position, atol=1e-5, rtol=0.0)
