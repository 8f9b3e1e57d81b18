"""The mesh package's Warp kernels in plain torch operations: every ray against every triangle."""

from __future__ import annotations

import torch
from torch import Tensor


def ray_hits(origins: Tensor, directions: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
    """Distance float64[R] to the nearest hit, inf for none, and its triangle int64[R] (Moeller and Trumbore 1997).

    origins, directions: float64[R, 3]; corners: float64[T, 3, 3].
    """
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    p = torch.linalg.cross(directions[:, None], ac[None], dim=-1)
    det = (ab * p).sum(-1)
    s = origins[:, None] - a
    u = (s * p).sum(-1) / det
    q = torch.linalg.cross(s, ab[None].expand_as(s), dim=-1)
    v = (directions[:, None] * q).sum(-1) / det
    t = (ac * q).sum(-1) / det
    hit = (det.abs() > 1e-14) & (u >= 0.0) & (v >= 0.0) & (u + v <= 1.0) & (t > 0.0)
    distance, face = torch.where(hit, t, torch.inf).min(1)
    return distance, face


def nearest_distance(points: Tensor, corners: Tensor) -> Tensor:
    """Distance float64[N] from points float64[N, 3] to the nearest of the triangles float64[T, 3, 3]."""
    best = torch.full((len(points),), torch.inf, dtype=points.dtype)
    for a, b, c in corners:
        normal = torch.linalg.cross(b - a, c - a, dim=-1)
        normal = normal / normal.norm()
        inside = torch.ones(len(points), dtype=torch.bool)
        for start, end in ((a, b), (b, c), (c, a)):
            along = end - start
            inside &= (points - start) @ torch.linalg.cross(normal, along, dim=-1) >= 0.0
            share = (((points - start) @ along) / (along @ along)).clamp(0.0, 1.0)
            best = torch.minimum(best, (points - start - share[:, None] * along).norm(dim=-1))
        above = ((points - a) @ normal).abs()
        best = torch.where(inside, torch.minimum(best, above), best)
    return best


def largest_along_rays(values: Tensor, origins: Tensor, directions: Tensor) -> Tensor:
    """As `max_density_along_rays`, by torch's grid_sample at the same points.

    values: float32[N + 1, N + 1, N + 1], axes x, y, z. origins, directions: float32[R, 3].
    """
    resolution = values.shape[0] - 1
    step = 2.0 / resolution
    a, b = (-1.0 - origins) / directions, (1.0 - origins) / directions
    near = torch.minimum(a, b).amax(-1).clamp_min(0.0)
    far = torch.maximum(a, b).amin(-1)
    t = near[:, None] + (torch.arange(2 * resolution) + 0.5) * step
    points = origins[:, None] + t[..., None] * directions[:, None]
    # grid_sample takes (x, y, z) for the last, middle and first axis of its volume.
    volume = values.permute(2, 1, 0)[None, None]
    sampled = torch.nn.functional.grid_sample(
        volume, points[None, None], mode="bilinear", padding_mode="border", align_corners=True
    )[0, 0, 0]
    return torch.where(t < far[:, None], sampled, 0.0).amax(-1)
