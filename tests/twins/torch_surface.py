"""The surface renderer's Warp kernels in plain torch operations, of any precision, differentiated by torch."""

from __future__ import annotations

import torch
from torch import Tensor
from twins.torch_mesh import ray_hits

from dreamfusion_engine.render.surface.hits import SurfaceHits
from dreamfusion_engine.scene.cameras import Cameras, projected


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


def face_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    a, b, c = vertices[triangles.long()].unbind(1)
    return torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    corners = vertices[triangles.long()]
    ahead, behind = (torch.nn.functional.normalize(corners.roll(k, 1) - corners, dim=-1) for k in (-1, 1))
    angle = torch.acos((ahead * behind).sum(-1).clamp(-1.0, 1.0))
    weighted = angle[..., None] * face_normals(vertices, triangles)[:, None]
    total = torch.zeros_like(vertices).index_add(0, triangles.reshape(-1).long(), weighted.reshape(-1, 3))
    return torch.nn.functional.normalize(total, dim=-1)


def sample_texture(texture: Tensor, uv: Tensor) -> Tensor:
    """By torch's grid_sample, which has the middle of the first texel at -1 + 1 / W."""
    picture = texture.permute(2, 0, 1)[None]
    grid = (2.0 * uv - 1.0)[None, None]
    sampled = torch.nn.functional.grid_sample(
        picture, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return sampled[0, :, 0].T


def antialiased(image: Tensor, hits: SurfaceHits, vertices: Tensor, triangles: Tensor, cameras: Cameras) -> Tensor:
    """As the engine's for one mesh before nothing: of all edges that are silhouettes, the last on the way to nothing.

    It is the one that is seen where no other part of the mesh lies there.

    image: [1, H, W, C].
    """
    _, height, width, _ = image.shape
    screen = projected(vertices[None], cameras, height, width)[0, :, :2]
    edges = silhouette_edges(screen.detach(), triangles)
    result = [[image[0, i, j] for j in range(width)] for i in range(height)]
    shown = hits.triangle.view(height, width)
    for i in range(height):
        for j in range(width):
            for down in (0, 1):
                k, m = i + down, j + 1 - down
                if k >= height or m >= width or (shown[i, j] >= 0) == (shown[k, m] >= 0):
                    continue
                near, far = ((i, j), (k, m)) if shown[i, j] >= 0 else ((k, m), (i, j))
                covered = _covered(screen, edges, near, far)
                if covered is None:
                    continue
                to, giver = (far, near) if covered >= 0.5 else (near, far)
                share = (covered - 0.5) if covered >= 0.5 else (0.5 - covered)
                result[to[0]][to[1]] = result[to[0]][to[1]] + share * (image[0][giver] - image[0][to])
    return torch.stack([torch.stack(row) for row in result])[None]


def silhouette_edges(screen: Tensor, triangles: Tensor) -> list[tuple[int, int]]:
    """The edges of one triangle, or of two on the same side of it, by vertices."""
    across: dict[tuple[int, int], list[int]] = {}
    for corners in triangles.tolist():
        for k in range(3):
            a, b, c = corners[k], corners[(k + 1) % 3], corners[(k + 2) % 3]
            across.setdefault((min(a, b), max(a, b)), []).append(c)

    def side(a: int, b: int, c: int) -> float:
        (x, y), (u, v) = (screen[b] - screen[a]).tolist(), (screen[c] - screen[a]).tolist()
        return float(x * v - y * u)

    return [(a, b) for (a, b), c in across.items() if len(c) == 1 or side(a, b, c[0]) * side(a, b, c[1]) > 0.0]


def _covered(
    screen: Tensor, edges: list[tuple[int, int]], near: tuple[int, int], far: tuple[int, int]
) -> Tensor | None:
    """Where between two pixels' middles, 0 at the near and 1 at the far one, the last of the edges is."""
    start, end = (torch.tensor([j + 0.5, i + 0.5], dtype=screen.dtype) for i, j in (near, far))
    found = []
    for a, b in edges:
        # start + s (end - start) = a + r (b - a)
        matrix = torch.stack([end - start, screen[a] - screen[b]], -1)
        if abs(float(torch.linalg.det(matrix.detach()))) < 1e-12:
            continue
        s, r = torch.linalg.solve(matrix, screen[a] - start).unbind(-1)
        if 0.0 <= s <= 1.0 and 0.0 <= r <= 1.0:
            x, y = (screen[b] - screen[a]).abs().tolist()
            found.append((s.item(), s if (y >= x if near[0] == far[0] else x > y) else None))
    return max(found, key=lambda pair: pair[0])[1] if found else None
