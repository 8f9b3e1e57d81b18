"""Render a field along rays: march, ask the field, composite, light, lay over a background.

Axis letters: R rays, S samples, N points, H W image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import RenderConfig, Shading
from dreamfusion_engine.render.composite import composite
from dreamfusion_engine.render.march import Samples, march
from dreamfusion_engine.render.shading import (
    density_gradient,
    lambertian,
    orientation_penalty,
    outward_normals,
    over_background,
)

SURFACE_OPACITY = 0.01  # rays below it have no surface worth a normal
NORMAL_STEPS = 1.5  # reach of the normals' finite differences, in marching steps: less shows every grain of the density
CHUNK_RAYS = 16_384  # rays of a preview rendered at a time


class Field(Protocol):
    """What the renderer asks: density float32[N] (1 / world unit) and albedo float32[N, 3] at points float32[N, 3]."""

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return density float32[N] and albedo float32[N, 3] at points float32[N, 3]."""

    def density(self, points: Tensor) -> Tensor:
        """Return density float32[N] at points float32[N, 3]."""


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """What R rays see.

    colour: float32[R, 3], sRGB, over the background.
    opacity: float32[R] in [0, 1].
    depth: float32[R], expected distance of what is seen, world units; 0 where nothing is.
    normal: float32[R, 3], unit or zero; None unless asked for.
    orientation: float32[R], penalty of each ray; None unless asked for.
    samples: int, number of samples that the field was asked for.
    wanted: int32[1], number of samples that the rays have, where `rows` was given; else None.
    """

    colour: Tensor
    opacity: Tensor
    depth: Tensor
    normal: Tensor | None
    orientation: Tensor | None
    samples: int
    wanted: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Surface:
    """The surface that R rays meet.

    point: float32[R, 3], world units.
    normal: float32[R, 3], unit or zero.
    orientation: float32[R], penalty of each ray.
    """

    point: Tensor
    normal: Tensor
    orientation: Tensor


def render(
    field: Field,
    origins: Tensor,
    directions: Tensor,
    occupied: Tensor,
    config: RenderConfig,
    *,
    background: Tensor,
    shading: Shading = "albedo",
    light: Tensor | None = None,
    normals: bool = False,
    jitter: Tensor | None = None,
    rows: int | None = None,
) -> Rendering:
    """Render rays, with gradients to the field.

    field: Field to render.
    origins: float32[R, 3], world units.
    directions: float32[R, 3], unit length.
    occupied: uint8[C], from OccupancyGrid.occupied.
    config: RenderConfig.
    background: float32[R, 3] or [3], sRGB.
    shading: 'albedo', 'lambertian' or 'textureless'.
    light: float32[R, 3] or [3], position, world units; needed unless shading is 'albedo'.
    normals: bool, whether to give normals and orientation penalties also when the shading needs none.
    jitter: float32[R] in [0, 1), place of each ray's samples in their steps; None: the middle.
    rows: int, as for `march`; None: the number of samples, which the host waits for.
    Raises ValueError where a light is missing.
    """
    samples = march_rays(origins, directions, occupied, config, jitter, rows)
    density, albedo = field(samples.points)
    colour, opacity, depth = composite(density, albedo, samples)
    depth = depth / opacity.clamp_min(1e-6)
    normal = orientation = None
    if normals or shading != "albedo":
        surface = surface_of(field, origins, directions, opacity, depth, samples.dt)
        normal, orientation = surface.normal, surface.orientation
        if shading != "albedo":
            if light is None:
                raise ValueError(f"Shading '{shading}' needs the position of a light.")
            base = colour if shading == "lambertian" else opacity[:, None]
            colour = base * lambertian(normal, surface.point, light)[:, None]
    return Rendering(
        colour=over_background(colour, opacity, background),
        opacity=opacity,
        depth=depth,
        normal=normal,
        orientation=orientation,
        samples=len(samples),
        wanted=samples.wanted,
    )


def march_rays(
    origins: Tensor,
    directions: Tensor,
    occupied: Tensor,
    config: RenderConfig,
    jitter: Tensor | None,
    rows: int | None = None,
) -> Samples:
    """Return the samples of `render`: jittered, or in the middle of their steps.

    origins, directions, occupied, config, jitter, rows: as for `render`.
    """
    if jitter is None:
        jitter = torch.full((origins.shape[0],), 0.5, device=origins.device)
    return march(
        origins,
        directions,
        occupied,
        step=2.0 / config.steps,
        jitter=jitter,
        max_samples=config.max_samples_per_ray,
        rows=rows,
    )


def surface_of(
    field: Field, origins: Tensor, directions: Tensor, opacity: Tensor, depth: Tensor, step: float
) -> Surface:
    """Return the surface that rays meet, with normals by finite differences of the density at their expected depth.

    The point is held fixed: gradients reach the field through the density around it, not through its position.

    field: Field.
    origins: float32[R, 3], world units.
    directions: float32[R, 3], unit length.
    opacity: float32[R] in [0, 1].
    depth: float32[R], world units.
    step: float, of the march, world units.
    """
    opacity, depth = opacity.detach(), depth.detach()
    point = origins + depth[:, None] * directions
    on_object = opacity > SURFACE_OPACITY
    if origins.device.type == "cpu":
        normal = normals_of_some(field, point, on_object, NORMAL_STEPS * step)
    else:
        normal = normals_of_all(field, point, on_object, NORMAL_STEPS * step)
    return Surface(point=point, normal=normal, orientation=orientation_penalty(normal, directions, opacity))


def normals_of_some(field: Field, point: Tensor, wanted: Tensor, reach: float) -> Tensor:
    """Return normals float32[R, 3] at the wanted points; zero elsewhere, where the field is not asked.

    field: Field.
    point: float32[R, 3], world units.
    wanted: bool[R].
    reach: float, step of the finite differences, world units.
    """
    rays = wanted.nonzero()[:, 0]
    facing = outward_normals(density_gradient(field.density, point[rays], reach))
    return torch.zeros_like(point).index_copy(0, rays, facing)


def normals_of_all(field: Field, point: Tensor, wanted: Tensor, reach: float) -> Tensor:
    """Return the same as `normals_of_some` but ask everywhere: on a GPU a wait for the number of rays costs more."""
    inside = torch.where(wanted[:, None], point, 0.0)  # an unwanted point may lie anywhere
    return outward_normals(density_gradient(field.density, inside, reach)) * wanted[:, None]


@torch.no_grad()
def render_image(
    field: Field,
    origins: Tensor,
    directions: Tensor,
    occupied: Tensor,
    config: RenderConfig,
    *,
    height: int,
    width: int,
    background: Tensor,
    shading: Shading = "albedo",
    light: Tensor | None = None,
    normals: bool = False,
) -> Rendering:
    """Render whole views without gradients, in chunks: previews, turntables, references for the mesh.

    The result's tensors have the shape [B, height, width, ...]. Samples lie in the middle of their steps, so the same
    call gives the same image.

    field: Field to render.
    origins, directions: float32[B * height * width, 3], as `camera_rays` gives them.
    height, width: int, pixels.
    occupied, config, background, shading, light, normals: as for `render`.
    """
    parts = []
    for begin in range(0, origins.shape[0], CHUNK_RAYS):
        chunk = slice(begin, begin + CHUNK_RAYS)
        parts.append(
            render(
                field,
                origins[chunk],
                directions[chunk],
                occupied,
                config,
                background=background[chunk] if background.dim() == 2 else background,
                shading=shading,
                light=light[chunk] if light is not None and light.dim() == 2 else light,
                normals=normals,
            )
        )

    def joined(tensors: list[Tensor]) -> Tensor:
        flat = torch.cat(tensors)
        return flat.view(-1, height, width, *flat.shape[1:])

    has_normals = parts[0].normal is not None
    return Rendering(
        colour=joined([p.colour for p in parts]),
        opacity=joined([p.opacity for p in parts]),
        depth=joined([p.depth for p in parts]),
        normal=joined([p.normal for p in parts if p.normal is not None]) if has_normals else None,
        orientation=joined([p.orientation for p in parts if p.orientation is not None]) if has_normals else None,
        samples=sum(p.samples for p in parts),
    )
