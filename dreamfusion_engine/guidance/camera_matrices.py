"""The camera matrices that a multi-view diffusion model is told, in MVDream's convention.

A matrix takes points of the camera to the world. Z is up, and the front of the object faces -Y. The columns are the
camera's right, up and backward axes and its position, at distance 1: how far the camera stands is not told, because the
model's pictures show the whole object from everywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor


def camera_matrices(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Return camera-to-world matrices, row by row, float32[B, 16], of cameras that look at the middle.

    With azimuth a and elevation e: right (cos a, sin a, 0), up (-sin e sin a, sin e cos a, cos e), and both backward
    and position (cos e sin a, -cos e cos a, sin e).

    azimuth, elevation: float32[B], radians; azimuth 0 looks at the front, pi / 2 stands at +X.
    Source: MVDream, arXiv 2308.16512, section 3.1.
    """
    sin_a, cos_a, sin_e, cos_e = azimuth.sin(), azimuth.cos(), elevation.sin(), elevation.cos()
    none, one = torch.zeros_like(azimuth), torch.ones_like(azimuth)
    x, y, z = cos_e * sin_a, -cos_e * cos_a, sin_e
    rows = (
        (cos_a, -sin_e * sin_a, x, x),
        (sin_a, sin_e * cos_a, y, y),
        (none, cos_e, z, z),
        (none, none, none, one),
    )
    return torch.stack([value for row in rows for value in row], -1)
