"""What cameras see of a surface whose triangles may change in every step: mask, depth and flat normals, with gradients.

Axis letters: B views, V vertices, T triangles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dreamfusion_engine.render.surface.antialias import antialiased
from dreamfusion_engine.render.surface.caster import SurfaceCaster
from dreamfusion_engine.render.surface.hits import differentiable_hits
from dreamfusion_engine.render.surface.normals import face_normals
from dreamfusion_engine.render.surface.scan import scanned
from dreamfusion_engine.scene.cameras import Cameras, orbit_cameras, pixel_rays

DISTANCE = 3.2  # world units
FOV = math.radians(40.0)
DEPTH_WEIGHT = 10.0  # as in arXiv 2308.05371, section 5.1: an error of depth is small in world units
NORMAL_WEIGHT = 1.0


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What B cameras see.

    mask: float32[B, H, W], share of each pixel that the surface covers.
    met: bool[B, H, W], whether the ray through a pixel's middle meets the surface.
    depth: float32[B, H, W], along the ray, world units; 0 where nothing is met.
    normal: float32[B, H, W, 3], of the triangle that is met; 0 where none is.
    """

    mask: Tensor
    met: Tensor
    depth: Tensor
    normal: Tensor

    def rows(self, which: Tensor) -> Sight:
        """Return some of the views. which: int64[K]."""
        return Sight(**{name: value[which] for name, value in vars(self).items()})


def cameras_around(count: int, seed: int) -> Cameras:
    """Return cameras at angles spread evenly over the sphere, from 30 degrees below to 80 above.

    count: int.
    seed: int, chooses them.
    """
    draws = torch.rand(2, count, generator=torch.Generator().manual_seed(seed))
    low, high = math.sin(math.radians(-30.0)), math.sin(math.radians(80.0))
    one = torch.ones(count)
    return orbit_cameras(2.0 * math.pi * draws[0], torch.asin(low + (high - low) * draws[1]), DISTANCE * one, FOV * one)


def sight_of(vertices: Tensor, triangles: Tensor, cameras: Cameras, pixels: int) -> Sight:
    """Return what cameras see of a surface, with gradients to its vertices.

    vertices: float32[V, 3], world units.
    triangles: int64[T, 3].
    cameras: Cameras, B of them.
    pixels: int, along a side.
    """
    views = len(cameras)
    fixed, corners = vertices.detach().contiguous(), triangles.int().contiguous()
    cast = scanned(fixed, corners, cameras, pixels, pixels) if len(corners) else None
    if cast is None:  # a hierarchy of boxes, which a single look does not repay
        cast = SurfaceCaster(fixed, corners, vertices.device).cast_views(cameras, pixels, pixels)
    met = cast.triangle >= 0
    rays = met.nonzero()[:, 0]
    hits = differentiable_hits(cast.of(rays), vertices, triangles, *pixel_rays(cameras, pixels, pixels, rays))
    normal = face_normals(vertices, triangles).index_select(0, hits.triangle)
    shape = (views, pixels, pixels)
    mask = antialiased(met.float().view(*shape, 1), cast, vertices, triangles, cameras)
    return Sight(
        mask=mask[..., 0],
        met=met.view(shape),
        depth=torch.zeros(len(cast)).index_copy(0, rays, hits.depth).view(shape),
        normal=torch.zeros(len(cast), 3).index_copy(0, rays, normal).view(*shape, 3),
    )


def picture_loss(seen: Sight, wanted: Sight) -> Tensor:
    """Return the mean over pixels of the differences of masks, and of depths and normals where both are met.

    seen, wanted: Sights from the same cameras.
    """
    both = (seen.met & wanted.met).float()
    mask = (seen.mask - wanted.mask).abs().mean()
    depth = (both * (seen.depth - wanted.depth).abs()).mean()
    normal = (both * (seen.normal - wanted.normal).abs().sum(-1)).mean()
    return mask + DEPTH_WEIGHT * depth + NORMAL_WEIGHT * normal
