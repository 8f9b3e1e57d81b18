"""Render a sphere's surface: rays on its triangles, colours and normals from its maps, light, smooth silhouettes.

Axis letters: B views, N hits, P vertices, T triangles, S texels along a map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dreamfusion_engine.clip_mesh.sphere import SpherePlan
from dreamfusion_engine.clip_mesh.tangents import CornerTangents
from dreamfusion_engine.config.stages import Shading
from dreamfusion_engine.render.renderer import Rendering
from dreamfusion_engine.render.shading import lambertian
from dreamfusion_engine.render.surface.antialias import antialiased, edge_neighbours
from dreamfusion_engine.render.surface.caster import SurfaceCaster
from dreamfusion_engine.render.surface.hits import SurfaceHits, differentiable_hits, interpolated
from dreamfusion_engine.render.surface.normals import vertex_normals
from dreamfusion_engine.render.surface.texture import sample_texture
from dreamfusion_engine.scene.cameras import Cameras, camera_rays

GREY = 0.5  # sRGB, of views that show the shape alone


@dataclass(frozen=True, kw_only=True)
class Looks:
    """A surface and its maps at a moment, as they are shown.

    vertices: float32[P, 3], world units.
    colours: float32[S, S, 3], sRGB in [0, 1].
    normals: float32[S, S, 3], unit vectors in tangent space.
    """

    vertices: Tensor
    colours: Tensor
    normals: Tensor


class SphereRenderer:
    """What cameras see of one sphere's surface as it moves.

    plan: SpherePlan of it.
    device: torch.device.
    """

    def __init__(self, plan: SpherePlan, device: torch.device) -> None:
        self._triangles = torch.from_numpy(plan.triangles).to(device)
        self._uv = torch.from_numpy(plan.uv).to(device)
        self._tangents = CornerTangents(plan.triangles, plan.uv, device)
        self._neighbours = edge_neighbours(self._triangles)
        start = torch.from_numpy((plan.matrix @ plan.start).astype(np.float32)).to(device)
        self._caster = SurfaceCaster(start, self._triangles, device)

    def render(
        self,
        looks: Looks,
        cameras: Cameras,
        size: int,
        *,
        background: Tensor,
        light: Tensor,
        shading: Shading = "lambertian",
        grey: Tensor | None = None,
    ) -> Rendering:
        """Return pictures [B, size, size, ...] with gradients to all that is looked at; a sample a pixel.

        looks: Looks.
        cameras: Cameras, B of them.
        size: int, pixels.
        background: float32[B, 3] or [3], sRGB.
        light: float32[B, 3], positions, world units.
        shading: 'albedo' without light; 'textureless' is all white.
        grey: bool[B], views that show GREY in place of the colours; None: none does.
        """
        views, triangles = len(cameras), self._triangles
        origins, directions = camera_rays(cameras, size, size)
        self._caster.refit(looks.vertices)
        cast = self._caster.cast(origins, directions)
        sure = differentiable_hits(cast, looks.vertices, triangles, origins, directions)
        rays = (cast.triangle >= 0).nonzero()[:, 0]
        met = SurfaceHits(sure.triangle[rays], sure.barycentric[rays], sure.depth[rays])
        uv = interpolated(self._uv, triangles, met)
        normal = self._normals(looks, met, uv, directions[rays])
        if shading == "textureless":
            colour = torch.ones_like(normal)
        else:
            colour = sample_texture(looks.colours, uv)
        if grey is not None:
            colour = torch.where(grey.repeat_interleave(size * size, 0)[rays][:, None], GREY, colour)
        if shading != "albedo":
            point = origins[rays] + met.depth[:, None] * directions[rays]
            colour = colour * lambertian(normal, point, light.repeat_interleave(size * size, 0)[rays])[:, None]
        behind = background.expand(views, 3).repeat_interleave(size * size, 0)
        opacity = (cast.triangle >= 0).float()
        picture = torch.cat([behind.index_copy(0, rays, colour), opacity[:, None]], 1).view(views, size, size, 4)
        picture = antialiased(picture, sure, looks.vertices, triangles, cameras, self._neighbours)
        whole = torch.zeros_like(origins).index_copy(0, rays, normal.detach())
        return Rendering(
            colour=picture[..., :3],
            opacity=picture[..., 3],
            depth=torch.where(cast.triangle >= 0, cast.depth, 0.0).view(views, size, size),
            normal=whole.view(views, size, size, 3),
            orientation=None,
            samples=len(rays),
        )

    def _normals(self, looks: Looks, met: SurfaceHits, uv: Tensor, directions: Tensor) -> Tensor:
        """Shading normals float32[N, 3]: c_x t + c_y (n x t) + c_z n, as programs read a glTF file; to the camera."""
        smooth = vertex_normals(looks.vertices, self._triangles)
        normal = interpolated(smooth, self._triangles, met)
        tangent = interpolated(self._tangents(looks.vertices, smooth), self._triangles, met)
        c = sample_texture(looks.normals, uv)
        bitangent = torch.linalg.cross(normal, tangent, dim=-1)
        shown = c[:, :1] * tangent + c[:, 1:2] * bitangent + c[:, 2:] * normal
        shown = torch.nn.functional.normalize(shown, dim=-1)
        with torch.no_grad():  # the inside shows where the surface has turned over
            corners = looks.vertices[self._triangles[met.triangle].long()]
            flat = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=-1)
            inside = (flat * directions).sum(-1) > 0.0
        return torch.where(inside[:, None], -shown, shown)
