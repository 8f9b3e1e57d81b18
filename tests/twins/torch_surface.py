"""The surface renderer's Warp kernels in plain torch operations, of any precision, differentiated by torch."""

from __future__ import annotations

import torch
from torch import Tensor
from twins.torch_mesh import ray_hits

from dreamfusion_engine.render.surface.hits import SurfaceHits


def cast(vertices: Tensor, triangles: Tensor, origins: Tensor, directions: Tensor) -> SurfaceHits:
    """The nearest hits, every ray against every triangle (Moeller and Trumbore 1997)."""
    depth, face = ray_hits(origins, directions, vertices[triangles.long()])
    missed = torch.isinf(depth)
    found = SurfaceHits(
        triangle=torch.where(missed, -1, face), barycentric=torch.zeros_like(origins), depth=torch.zeros_like(depth)
    )
    return differentiable_hits(found, vertices, triangles, origins, directions)


def differentiable_hits(
    hits: SurfaceHits, vertices: Tensor, triangles: Tensor, origins: Tensor, directions: Tensor
) -> SurfaceHits:
    """As the engine's, without its exception for grazing rays."""
    met = hits.triangle >= 0
    a, b, c = vertices[triangles.long()[hits.triangle[met]]].unbind(1)
    o, d = origins[met], directions[met]
    # o + t d = a + u (b - a) + v (c - a), three equations of t, u, v.
    solved = torch.linalg.solve(torch.stack([-d, b - a, c - a], -1), (o - a)[..., None])[..., 0]
    t, u, v = solved.unbind(-1)
    barycentric = torch.zeros_like(origins).index_put((met,), torch.stack([1.0 - u - v, u, v], -1))
    depth = torch.full_like(origins[:, 0], torch.inf).index_put((met,), t)
    return SurfaceHits(triangle=hits.triangle, barycentric=barycentric, depth=depth)


def interpolated(values: Tensor, triangles: Tensor, hits: SurfaceHits) -> Tensor:
    met = hits.triangle >= 0
    face = hits.triangle.clamp_min(0)
    corners = values[face] if values.dim() == 3 else values[triangles.long()[face]]
    return torch.where(met[:, None], (hits.barycentric[..., None] * corners).sum(1), 0.0)


def sample_texture(texture: Tensor, uv: Tensor) -> Tensor:
    """By torch's grid_sample, which has the middle of the first texel at -1 + 1 / W."""
    picture = texture.permute(2, 0, 1)[None]
    grid = (2.0 * uv - 1.0)[None, None]
    sampled = torch.nn.functional.grid_sample(
        picture, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return sampled[0, :, 0].T
