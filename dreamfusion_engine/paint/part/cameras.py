"""Views that look at a part of the object: from where it is seen, and so near that it is large in the picture.

The position stays on the sphere of the other views, and so does what prompts say of it. Only the camera turns to the
part and its lens gets longer. Axis letters: B views, D directions, N points.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dreamfusion_engine.config.stages import CameraConfig
from dreamfusion_engine.mesh.arrays import Doubles, Floats
from dreamfusion_engine.mesh.casting import caster, hit_distance
from dreamfusion_engine.mesh.framing import HALF_LENGTH
from dreamfusion_engine.scene.cameras import Cameras, look_at, mid_orbit_cameras, spherical_position

AROUND, ABOVE = 16, 5  # directions from which the part is looked for
CLEARANCE = 2e-3  # world units from the surface at which a look begins
POINTS = 2000  # of the part, looked at from each direction


class PartViews:
    """Where a part is, how large, and from where it is seen.

    vertices: float32[V, 3], world units.
    triangles: int[T, 3].
    points: float[N, 3], on the part, evenly.
    cameras: CameraConfig.
    zoom: float, at least 1: how much longer the lens gets at most.
    device: torch.device to compute on.
    """

    def __init__(
        self,
        vertices: Floats,
        triangles: NDArray[np.integer],
        points: Doubles,
        cameras: CameraConfig,
        zoom: float,
        device: torch.device,
    ) -> None:
        step = max(1, len(points) // POINTS)
        low, high = points.min(0), points.max(0)
        self.middle = torch.from_numpy((0.5 * low + 0.5 * high).astype(np.float32))
        radius = float(np.linalg.norm(points - self.middle.numpy(), axis=1).max())
        self.zoom = min(max(HALF_LENGTH / max(radius, 1e-6), 1.0), zoom)
        self._config = cameras
        lowest, highest = (math.radians(angle) for angle in cameras.elevation_deg)
        azimuth = torch.arange(AROUND, dtype=torch.float32) * (2.0 * math.pi / AROUND)
        self._angles = torch.cartesian_prod(azimuth, torch.linspace(lowest, highest, ABOVE))
        self._cell = torch.tensor([2.0 * math.pi / AROUND, (highest - lowest) / (ABOVE - 1)])
        eyes = mid_orbit_cameras(self._angles[:, 0], self._angles[:, 1], cameras).position.numpy()
        share = _seen_shares(vertices, triangles, points[::step], eyes, device)
        # What is seen nowhere is looked for everywhere.
        self.share = torch.from_numpy(share if share.sum() > 0.0 else np.ones_like(share))

    def turned(self, cameras: Cameras, close: Tensor, generator: torch.Generator) -> Cameras:
        """Return cameras of which some look at the part, from directions that see much of it.

        cameras: Cameras, B of them.
        close: bool[B], which of them.
        generator: on the host, of the directions; the same count of numbers is drawn whatever `close` is.
        """
        count = len(cameras)
        cell = torch.multinomial(self.share, count, replacement=True, generator=generator)
        jitter = torch.rand(count, 2, generator=generator) - 0.5
        azimuth, elevation = (self._angles[cell] + jitter * self._cell).unbind(1)
        low, high = (math.radians(angle) for angle in self._config.elevation_deg)
        elevation = elevation.clamp(low, high)
        position = spherical_position(azimuth, elevation, cameras.position.norm(dim=1))
        up = torch.tensor([0.0, 0.0, 1.0]).expand_as(position)
        new = {
            "position": position,
            "rotation": look_at(position, self.middle.expand_as(position), up),
            "focal": cameras.focal * self.zoom,
            "azimuth": azimuth % (2.0 * math.pi),
            "elevation": elevation,
        }
        values = {}
        for each in dataclasses.fields(cameras):
            old = getattr(cameras, each.name)
            which = close.view(-1, *[1] * (old.dim() - 1))
            values[each.name] = torch.where(which, new[each.name], old)
        return Cameras(**values)


def _seen_shares(
    vertices: Floats, triangles: NDArray[np.integer], points: Doubles, eyes: Floats, device: torch.device
) -> Floats:
    """Share of the points that each eye sees, float32[D]."""
    scene = caster(vertices, triangles, device)
    shares = np.zeros(len(eyes), np.float32)
    for number, eye in enumerate(eyes):
        towards = eye - points
        distance = np.linalg.norm(towards, axis=1, keepdims=True)
        towards /= distance
        free = hit_distance(scene, points + CLEARANCE * towards, towards, float(distance.max()))
        shares[number] = (free >= distance[:, 0] - 2.0 * CLEARANCE).mean()
    return shares
