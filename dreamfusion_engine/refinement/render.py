"""Render a surface whose vertices move: rays, light by its own normals, silhouettes with gradients.

Axis letters: B views, N hits, V vertices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import Shading
from dreamfusion_engine.paint.canvas import DeviceCanvas
from dreamfusion_engine.paint.render import SurfaceRenderer, pixel_means
from dreamfusion_engine.render.renderer import Rendering
from dreamfusion_engine.render.shading import lambertian
from dreamfusion_engine.render.surface.antialias import antialiased, edge_neighbours
from dreamfusion_engine.render.surface.hits import SurfaceHits, differentiable_hits, interpolated
from dreamfusion_engine.render.surface.normals import vertex_normals
from dreamfusion_engine.scene.cameras import Cameras, pixel_rays

# Points float32[N, 3] where the surface began, and UVs float32[N, 2] in [0, 1], to sRGB in [0, 1], float32[N, 3].
PlacedColours = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class SurfaceView:
    """What cameras see of a moving surface.

    pictures: Rendering [B, size, size, ...].
    albedo: float32[B, F, F, 3], the colours without light, a sample each; 0 where nothing is met.
    met: bool[B, F, F], whether the sample met the surface.
    """

    pictures: Rendering
    albedo: Tensor
    met: Tensor


class MovingRenderer:
    """What cameras see of a surface as its vertices move.

    A colour belongs to a place of the surface as it began, so it moves with the surface.

    canvas: DeviceCanvas, the surface as it began.
    grid: int, samples along a pixel's side.
    still: SurfaceRenderer of the canvas, whose rays are used; None: a new one.
    """

    def __init__(self, canvas: DeviceCanvas, grid: int = 2, still: SurfaceRenderer | None = None) -> None:
        self.canvas = canvas
        self.grid = grid
        self._still = SurfaceRenderer(canvas, grid) if still is None else still
        self._neighbours = edge_neighbours(canvas.triangles)

    def move(self, vertices: Tensor) -> None:
        """Bring the rays' mesh to where the vertices are; call it before `render` with others.

        vertices: float32[V, 3], world units.
        """
        self._still.caster.refit(vertices.detach())

    def render(
        self,
        colours: PlacedColours,
        vertices: Tensor,
        cameras: Cameras,
        size: int,
        *,
        background: Tensor,
        shading: Shading = "albedo",
        light: Tensor | None = None,
        grid: int | None = None,
    ) -> SurfaceView:
        """Return pictures [B, size, size, ...], with gradients to the colours and the vertices.

        colours: PlacedColours, asked once, at the hits.
        vertices: float32[V, 3], world units, those of the last `move`.
        cameras: Cameras, B of them.
        size: int, pixels.
        background: float32[B, 3] or [3], sRGB.
        shading: Shading of the pictures.
        light: float32[B, 3], positions, world units; needed unless shading is 'albedo'.
        grid: int, samples along a pixel's side; None: the renderer's.
        Raises ValueError where a light is missing.
        """
        canvas, views, along = self.canvas, len(cameras), self.grid if grid is None else grid
        fine = size * along
        cast = self._still.caster.cast_views(cameras, fine, fine)
        rays = (cast.triangle >= 0).nonzero()[:, 0]
        origins, directions = pixel_rays(cameras, fine, fine, rays)
        fixed = cast.of(rays)
        met = differentiable_hits(fixed, vertices, canvas.triangles, origins, directions)
        point = origins + met.depth[:, None] * directions
        normal = self._facing(met, fixed, vertices, directions)
        if shading == "textureless":
            colour = torch.ones_like(point)
        else:
            colour = self._coloured(colours, fixed, interpolated(canvas.vertices, canvas.triangles, fixed))
        nothing = torch.zeros(len(cast), 3, device=vertices.device)
        albedo = nothing.index_copy(0, rays, colour)
        if shading != "albedo":
            if light is None:
                raise ValueError(f"Shading '{shading}' needs the position of a light.")
            lit_from = light.index_select(0, rays // (fine * fine))
            colour = colour * lambertian(normal, point, lit_from)[:, None]
        behind = background.expand(views, 3).repeat_interleave(fine * fine, 0)
        opacity = (cast.triangle >= 0).float()
        picture = torch.cat([behind.index_copy(0, rays, colour), opacity[:, None]], 1).view(views, fine, fine, 4)
        picture = antialiased(picture, cast, vertices, canvas.triangles, cameras, self._neighbours)
        pixels = pixel_means(picture.reshape(-1, 4), views, along)
        coverage = pixels[..., 3]
        depth = torch.where(cast.triangle >= 0, cast.depth, 0.0)
        hit = pixel_means(opacity[:, None], views, along)[..., 0]
        pictures = Rendering(
            colour=pixels[..., :3],
            opacity=coverage,
            depth=pixel_means(depth[:, None], views, along)[..., 0] / hit.clamp_min(1e-6),
            normal=pixel_means(nothing.index_copy(0, rays, normal.detach()), views, along),
            orientation=None,
            samples=len(rays),
        )
        across = (views, fine, fine)
        return SurfaceView(pictures, albedo.view(*across, 3), (cast.triangle >= 0).view(across))

    def _coloured(self, colours: PlacedColours, met: SurfaceHits, began: Tensor) -> Tensor:
        """The colours of what is met, float32[N, 3]. began: float32[N, 3], where that was at first."""
        uv = interpolated(self.canvas.uv, self.canvas.triangles, met)
        return colours(self._still.shown(met, began), uv - uv.floor())

    def _facing(self, met: SurfaceHits, fixed: SurfaceHits, vertices: Tensor, directions: Tensor) -> Tensor:
        """Smooth normals float32[N, 3] of the vertices as they are, turned to the camera."""
        triangles = self.canvas.triangles
        normal = interpolated(vertex_normals(vertices, triangles, met.triangle), triangles, met)
        normal = torch.nn.functional.normalize(normal, dim=-1)
        with torch.no_grad():
            corners = vertices[triangles[fixed.triangle].long()]
            flat = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=-1)
            inside = (flat * directions).sum(-1) > 0.0
        return torch.where(inside[:, None], -normal, normal)
