"""Meshes, cameras and rays of known facts, for the tests of this folder."""

from __future__ import annotations

import torch
from mesh.shapes import icosphere, lattice_torus
from torch import Tensor

from dreamfusion_engine.render.surface.caster import SurfaceCaster
from dreamfusion_engine.render.surface.hits import SurfaceHits, differentiable_hits
from dreamfusion_engine.scene.cameras import Cameras, camera_rays, orbit_cameras

CPU = torch.device("cpu")


def ball(subdivisions: int = 3, radius: float = 1.0) -> tuple[Tensor, Tensor]:
    """An icosphere; vertices float32[V, 3], triangles int32[T, 3]."""
    vertices, triangles = icosphere(subdivisions, radius)
    return torch.from_numpy(vertices).float(), torch.from_numpy(triangles)


def torus(rings: int = 24, sides: int = 12) -> tuple[Tensor, Tensor]:
    vertices, triangles = lattice_torus(rings, sides)
    return torch.from_numpy(vertices).float(), torch.from_numpy(triangles)


def square(size: float = 1.0, y: float = 0.0) -> tuple[Tensor, Tensor]:
    """Two triangles across the view of the front camera, at distance y behind the middle."""
    half = 0.5 * size
    corners = [[-half, y, -half], [half, y, -half], [half, y, half], [-half, y, half]]
    return torch.tensor(corners), torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)


def cameras(azimuth: float = 0.0, elevation: float = 0.0, distance: float = 4.0, fov: float = 0.7) -> Cameras:
    """One camera; by default in front, looking along +Y."""
    return orbit_cameras(*(torch.tensor([x]) for x in (azimuth, elevation, distance, fov)))


def random_rays(count: int = 500, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Rays from around towards the middle."""
    generator = torch.Generator().manual_seed(seed)
    origins = 2.0 * torch.randn(count, 3, generator=generator)
    directions = 0.4 * torch.randn(count, 3, generator=generator) - origins
    return origins, torch.nn.functional.normalize(directions, dim=-1)


def seen(vertices: Tensor, triangles: Tensor, views: Cameras, pixels: int) -> SurfaceHits:
    """What square pictures of the mesh show, with gradients to the vertices."""
    origins, directions = camera_rays(views, pixels, pixels)
    hits = SurfaceCaster(vertices, triangles, vertices.device).cast(origins, directions)
    return differentiable_hits(hits, vertices, triangles, origins, directions)
