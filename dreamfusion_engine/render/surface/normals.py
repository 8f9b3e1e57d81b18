"""Normals of triangles and vertices, as torch functions of the vertices.

Axis letters: V vertices, T triangles.
"""

from __future__ import annotations

import torch
from torch import Tensor

_TINY = 1e-12  # length below which a sum of unit normals has no direction


def face_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Return unit normals [T, 3] by the right hand; 0 for a triangle without area. Gradients reach the vertices.

    vertices: float32 or float64 [V, 3], world units.
    triangles: int[T, 3], in [0, V).
    """
    return _unit(torch.linalg.cross(*_two_sides(_corners(vertices, triangles))))


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Return unit normals [V, 3]: the triangles' weighted by their angle at the vertex, as the exported mesh has them.

    A vertex without a direction (no triangle, or a fold of two opposite ones) has (0, 0, 1), without a gradient.

    vertices: float32 or float64 [V, 3], world units.
    triangles: int[T, 3], in [0, V).
    Source: Thuermer and Wuethrich 1998.
    """
    corners = _corners(vertices, triangles)
    ahead, behind = corners.roll(-1, 1) - corners, corners.roll(1, 1) - corners
    twice_area = torch.linalg.cross(*_two_sides(corners))
    # One cross product serves all three corners: its length is that of each two sides.
    angle = torch.atan2(_length(twice_area), (ahead * behind).sum(-1))
    weighted = angle[..., None] * _unit(twice_area)[:, None]
    total = torch.zeros_like(vertices).index_add(0, triangles.reshape(-1).long(), weighted.reshape(-1, 3))
    lost = total.detach().square().sum(-1, keepdim=True) < _TINY
    up = torch.tensor([0.0, 0.0, 1.0], dtype=vertices.dtype, device=vertices.device)
    return torch.where(lost, up, _unit(total))


def _corners(vertices: Tensor, triangles: Tensor) -> Tensor:
    return vertices.index_select(0, triangles.reshape(-1)).view(-1, 3, 3)


def _two_sides(corners: Tensor) -> tuple[Tensor, Tensor]:
    return corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]


def _length(vectors: Tensor) -> Tensor:
    """Length [..., 1]; its gradient is 0 at 0."""
    square = vectors.square().sum(-1, keepdim=True)
    flat = square == 0.0
    return torch.where(flat, 0.0, torch.where(flat, 1.0, square).sqrt())


def _unit(vectors: Tensor) -> Tensor:
    """Unit vectors; 0 stays 0, with a gradient of 0."""
    length = _length(vectors)
    return torch.where(length == 0.0, 0.0, vectors / torch.where(length == 0.0, 1.0, length))
