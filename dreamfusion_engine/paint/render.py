"""Render colours on a canvas: rays to the surface, the field's colour there, light, averaged to pixels.

Axis letters: B views, R rays, N hits.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import Shading
from dreamfusion_engine.paint.canvas import DeviceCanvas
from dreamfusion_engine.render.renderer import Rendering
from dreamfusion_engine.render.shading import lambertian
from dreamfusion_engine.render.surface.caster import SurfaceCaster
from dreamfusion_engine.render.surface.hits import SurfaceHits, interpolated
from dreamfusion_engine.scene.cameras import Cameras, pixel_rays

Colours = Callable[[Tensor], Tensor]  # points float32[N, 3], world units, to sRGB in [0, 1], float32[N, 3]


class SurfaceRenderer:
    """What cameras see of a canvas whose colours are asked for point by point.

    canvas: DeviceCanvas.
    grid: int, samples along a pixel's side: edges and fine detail are averaged over grid x grid.
    """

    def __init__(self, canvas: DeviceCanvas, grid: int = 2) -> None:
        self.canvas = canvas
        self.grid = grid
        self.caster = SurfaceCaster(canvas.vertices, canvas.triangles, canvas.vertices.device)

    def render(
        self,
        colours: Colours,
        cameras: Cameras,
        size: int,
        *,
        background: Tensor,
        shading: Shading = "albedo",
        light: Tensor | None = None,
        grid: int | None = None,
    ) -> Rendering:
        """Return pictures [B, size, size, ...], with gradients to the colours.

        colours: asked once, at the hits.
        cameras: Cameras, B of them.
        size: int, pixels.
        background: float32[B, 3] or [3], sRGB.
        shading: Shading of the pictures.
        light: float32[B, 3], positions, world units; needed unless shading is 'albedo'.
        grid: int, samples along a pixel's side; None: the renderer's.
        Raises ValueError where a light is missing.
        """
        views, along = len(cameras), self.grid if grid is None else grid
        fine = size * along
        hits = self.caster.cast_views(cameras, fine, fine)
        rays = (hits.triangle >= 0).nonzero()[:, 0]
        origins, directions = pixel_rays(cameras, fine, fine, rays)
        met = hits.of(rays)
        point = origins + met.depth[:, None] * directions
        normal = self._facing(met, directions)
        colour = torch.ones_like(point) if shading == "textureless" else self.coloured(colours, met, point)
        if shading != "albedo":
            if light is None:
                raise ValueError(f"Shading '{shading}' needs the position of a light.")
            lit_from = light.index_select(0, rays // (fine * fine))
            colour = colour * lambertian(normal, point, lit_from)[:, None]
        behind = background.expand(views, 3).repeat_interleave(fine * fine, 0)
        picture = behind.index_copy(0, rays, colour)
        opacity = (hits.triangle >= 0).float()
        depth = torch.where(hits.triangle >= 0, hits.depth, 0.0)
        coverage = pixel_means(opacity[:, None], views, along)[..., 0]
        return Rendering(
            colour=pixel_means(picture, views, along),
            opacity=coverage,
            depth=pixel_means(depth[:, None], views, along)[..., 0] / coverage.clamp_min(1e-6),
            normal=pixel_means(torch.zeros_like(picture).index_copy(0, rays, normal), views, along),
            orientation=None,
            samples=len(rays),
        )

    def coloured(self, colours: Colours, met: SurfaceHits, point: Tensor) -> Tensor:
        """Return the colours of what is met, float32[N, 3].

        colours: asked once.
        met: SurfaceHits, N of them, all on the surface.
        point: float32[N, 3], where they are; on a surface that moves: where they began.
        """
        return colours(self.shown(met, point))

    def _facing(self, met: SurfaceHits, directions: Tensor) -> Tensor:
        """Smooth normals float32[N, 3], turned to the camera: artists' meshes are open, and have flipped faces."""
        normal = interpolated(self.canvas.normals, self.canvas.triangles, met)
        normal = torch.nn.functional.normalize(normal, dim=-1)
        corners = self.canvas.vertices[self.canvas.triangles[met.triangle].long()]
        flat = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=-1)
        # The side of the triangle that the normal is on, which a file may have the other way round than its corners.
        inside = ((flat * directions).sum(-1) > 0.0) != ((flat * normal).sum(-1) < 0.0)
        return torch.where(inside[:, None], -normal, normal)

    def shown(self, met: SurfaceHits, point: Tensor) -> Tensor:
        """Return the points whose colour is shown, float32[N, 3]: what the texel shows where that is another place.

        met: SurfaceHits, N of them, all on the surface.
        point: float32[N, 3], where they are.
        """
        canvas = self.canvas
        if not len(canvas.positions):
            return point
        size = canvas.positions.shape[1]
        uv = interpolated(canvas.uv, canvas.triangles, met)
        texel = ((uv - uv.floor()) * size).long().clamp(0, size - 1)
        row = canvas.row[met.triangle]
        at = row.clamp_min(0), texel[:, 1], texel[:, 0]
        owner, shown = canvas.owner[at].long(), canvas.positions[at]
        reach = torch.maximum(canvas.reach[met.triangle], canvas.reach[owner.clamp_min(0)])
        elsewhere = (row >= 0) & (owner >= 0) & ((shown - point).norm(dim=-1) > reach)
        return torch.where(elsewhere[:, None], shown, point)


def pixel_means(values: Tensor, views: int, along: int) -> Tensor:
    """Return the means over each pixel's samples, float32[B, H, W, C].

    values: float32[B S S, C], of each sample.
    views: int, B.
    along: int, samples along a pixel's side.
    """
    side = math.isqrt(len(values) // views)
    planes = values.view(views, side, side, -1).permute(0, 3, 1, 2)
    return torch.nn.functional.avg_pool2d(planes, along).permute(0, 2, 3, 1)
