"""The renderer in plain torch operations: the reference of the Warp kernels, and what benchmarks compare with.

Rays are rows of a padded table here, where the kernels pack samples one after another.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import RenderConfig, Shading
from dreamfusion_engine.render.march import Samples
from dreamfusion_engine.render.renderer import Field, Rendering, surface_of
from dreamfusion_engine.render.shading import lambertian


def box_spans(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Distances float32[R] at which rays enter and leave [-1, 1]^3 (slab method); near > far where they miss."""
    a = (-1.0 - origins) / directions
    b = (1.0 - origins) / directions
    return torch.minimum(a, b).amax(-1).clamp_min(0.0), torch.maximum(a, b).amin(-1)


def march(
    origins: Tensor, directions: Tensor, occupied: Tensor, *, step: float, jitter: Tensor, max_samples: int
) -> Samples:
    """As `dreamfusion_engine.render.march.march`."""
    near, far = box_spans(origins, directions)
    resolution = round(occupied.shape[0] ** (1.0 / 3.0))
    steps = torch.arange(int(2.0 * 3.0**0.5 / step) + 2, device=origins.device)
    t = near[:, None] + (steps + jitter[:, None]) * step
    points = origins[:, None] + t[..., None] * directions[:, None]
    cell = ((points + 1.0) * (0.5 * resolution)).long().clamp(0, resolution - 1)
    index = cell[..., 0] + resolution * (cell[..., 1] + resolution * cell[..., 2])
    kept = (t < far[:, None]) & (occupied[index] > 0)
    kept &= kept.cumsum(-1) <= max_samples
    offsets = torch.nn.functional.pad(kept.sum(-1).cumsum(0), (1, 0)).int()
    ray = kept.nonzero()[:, 0].int()
    return Samples(points=points[kept], ray=ray, t=t[kept], dt=step, offsets=offsets)


def composite(density: Tensor, colour: Tensor, samples: Samples) -> tuple[Tensor, Tensor, Tensor]:
    """As `dreamfusion_engine.render.composite.composite`: sums of w_i c_i, w_i and w_i t_i over each ray."""
    rays = samples.offsets.shape[0] - 1
    ray = samples.ray.long()
    column = torch.arange(len(samples), device=ray.device) - samples.offsets[ray]
    width = int(samples.offsets.diff().max()) if len(samples) else 0
    depth = torch.zeros(rays, width, device=density.device).index_put((ray, column), density * samples.dt)
    before = torch.nn.functional.pad(depth.cumsum(-1)[:, :-1], (1, 0)) if width else depth
    weight = (torch.exp(-before) * -torch.expm1(-depth))[ray, column]
    total = torch.zeros(rays, 3, device=density.device).index_add(0, ray, weight[:, None] * colour)
    opacity = torch.zeros(rays, device=density.device).index_add(0, ray, weight)
    distance = torch.zeros(rays, device=density.device).index_add(0, ray, weight * samples.t)
    return total, opacity, distance


def render(
    field: Field,
    origins: Tensor,
    directions: Tensor,
    occupied: Tensor,
    config: RenderConfig,
    *,
    background: Tensor,
    shading: Shading,
    light: Tensor,
    jitter: Tensor,
) -> Rendering:
    """As `dreamfusion_engine.render.renderer.render`, with the jitter given."""
    step = 2.0 / config.steps
    samples = march(origins, directions, occupied, step=step, jitter=jitter, max_samples=config.max_samples_per_ray)
    density, albedo = field(samples.points)
    colour, opacity, depth = composite(density, albedo, samples)
    depth = depth / opacity.clamp_min(1e-6)
    surface = surface_of(field, origins, directions, opacity, depth, step)
    if shading == "lambertian":
        colour = colour * lambertian(surface.normal, surface.point, light)[:, None]
    elif shading == "textureless":
        colour = (opacity * lambertian(surface.normal, surface.point, light))[:, None]
    return Rendering(
        colour=colour + (1.0 - opacity[:, None]) * background,
        opacity=opacity,
        depth=depth,
        normal=surface.normal,
        orientation=surface.orientation,
        samples=len(samples),
    )
