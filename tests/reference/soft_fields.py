"""Radiance fields with known shapes and the soft, noisy edges of a trained NeRF, and pictures of them by plain sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dreamfusion_engine.mesh.surface.silhouette import ReferenceViews
from dreamfusion_engine.scene.cameras import Cameras, camera_rays, orbit_cameras

Distance = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class SoftField:
    """distance: signed distance-like float32[N], negative inside; the density is softplus(-distance / edge) * slope."""

    distance: Distance
    colour: Callable[[Tensor], Tensor]
    edge: float = 0.02
    slope: float = 8.0

    def density(self, points: Tensor) -> Tensor:
        return self.slope * torch.nn.functional.softplus(-self.distance(points) / self.edge)

    def albedo(self, points: Tensor) -> Tensor:
        return self.colour(points).clamp(0.0, 1.0)


def ball(centre: tuple[float, float, float], radius: float) -> Distance:
    """A ball."""
    return lambda p: (p - p.new_tensor(centre)).norm(dim=-1) - radius


def ellipsoid(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Distance:
    """An ellipsoid: |q| (|q| - 1) / |q / r| with q = (p - c) / r, the distance to first order near the surface."""

    def distance(p: Tensor) -> Tensor:
        q = (p - p.new_tensor(centre)) / p.new_tensor(radii)
        size = q.norm(dim=-1)
        return size * (size - 1.0) / (q / p.new_tensor(radii)).norm(dim=-1).clamp(min=1e-6)

    return distance


def torus(ring: float, tube: float) -> Distance:
    """A torus around the z axis."""
    return lambda p: torch.stack([p[:, :2].norm(dim=-1) - ring, p[:, 2]], -1).norm(dim=-1) - tube


def box(centre: tuple[float, float, float], half: tuple[float, float, float]) -> Distance:
    """An axis-aligned box."""

    def distance(p: Tensor) -> Tensor:
        q = (p - p.new_tensor(centre)).abs() - p.new_tensor(half)
        return q.clamp(min=0.0).norm(dim=-1) + q.amax(-1).clamp(max=0.0)

    return distance


def union(*shapes: Distance) -> Distance:
    """All of the shapes."""
    return lambda p: torch.stack([s(p) for s in shapes]).amin(0)


def rough(shape: Distance, amount: float, frequency: float, seed: int) -> Distance:
    """The shape with smooth random bumps of about `amount`, some `frequency` waves along a unit."""
    g = torch.Generator().manual_seed(seed)
    waves, phases = torch.randn(32, 3, generator=g) * (frequency * math.pi), torch.rand(32, generator=g) * 2.0 * math.pi
    return lambda p: shape(p) + amount * torch.sin(p @ waves.to(p).T + phases.to(p)).sum(-1) / 4.0


def plain(colour: tuple[float, float, float]) -> Callable[[Tensor], Tensor]:
    """One colour everywhere."""
    return lambda p: p.new_tensor(colour).expand_as(p)


def hamburger(*, bumps: float = 0.006, edge: float = 0.02, floaters: bool = True) -> SoftField:
    """Bun, lettuce, patty, bun, with colours that change over the depth, bumps, and floaters around it."""
    layers = [
        (ellipsoid((0.0, 0.0, 0.16), (0.62, 0.62, 0.36)), (0.80, 0.52, 0.22)),
        (ellipsoid((0.0, 0.0, 0.02), (0.70, 0.70, 0.08)), (0.30, 0.62, 0.16)),
        (ellipsoid((0.0, 0.0, -0.12), (0.64, 0.64, 0.12)), (0.36, 0.18, 0.10)),
        (ellipsoid((0.0, 0.0, -0.30), (0.60, 0.60, 0.16)), (0.86, 0.66, 0.36)),
    ]
    shapes: list[Distance] = [shape for shape, _ in layers]
    if floaters:
        shapes += [ball((0.75, 0.6, 0.7), 0.05), ball((-0.8, -0.2, 0.5), 0.04)]

    def colour(p: Tensor) -> Tensor:
        near = torch.softmax(-torch.stack([shape(p) for shape, _ in layers], -1) / 0.02, -1)
        base = near @ p.new_tensor([c for _, c in layers])
        seeds = torch.sin(p[:, :1] * 31.0) * torch.sin(p[:, 1:2] * 29.0 + 1.0) * (p[:, 2:] > 0.3)
        return base + 0.1 * seeds

    return SoftField(distance=rough(union(*shapes), bumps, 5.0, 3), colour=colour, edge=edge)


def orbit(count: int, elevation_deg: float = 20.0) -> Cameras:
    """`count` cameras around the object, alternating between above and a little below the given elevation."""
    azimuth = torch.arange(count) * (2.0 * math.pi / count)
    tilt = math.radians(elevation_deg) + 0.25 * (-1.0) ** torch.arange(count)
    return orbit_cameras(azimuth, tilt, torch.full((count,), 3.3), torch.full((count,), math.radians(41.0)))


def photographs(field: SoftField, cameras: Cameras, size: int, *, samples: int = 96) -> ReferenceViews:
    """Albedo renders over white by midpoint sums of T sigma c over the ray's part near the box, one ray a pixel."""
    origins, directions = camera_rays(cameras, size, size)
    colour, opacity = [], []
    for o, d in zip(origins.split(4096), directions.split(4096), strict=True):
        middle = -(o * d).sum(-1, keepdim=True)  # nearest to the box's centre
        half = math.sqrt(3.0)
        dt = 2.0 * half / samples
        t = middle + (torch.arange(samples) + 0.5) * dt - half
        points = (o[:, None] + t[..., None] * d[:, None]).reshape(-1, 3)
        inside = (points.abs().amax(-1) <= 1.0).float()
        sigma = (field.density(points) * inside).reshape(t.shape)
        through = torch.exp(-torch.cumsum(sigma * dt, 1))
        before = torch.cat([torch.ones_like(through[:, :1]), through[:, :-1]], 1)
        weight = before - through
        alpha = weight.sum(1)
        c = (weight[..., None] * field.albedo(points).reshape(*t.shape, 3)).sum(1)
        colour.append(c + (1.0 - alpha)[:, None])
        opacity.append(alpha)
    count = len(cameras)
    return ReferenceViews(
        cameras=cameras,
        colour=torch.cat(colour).reshape(count, size, size, 3),
        opacity=torch.cat(opacity).reshape(count, size, size),
    )
