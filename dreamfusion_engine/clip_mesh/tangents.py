"""Tangents of a surface that moves, with gradients: those of `mesh.tangents`, which the finished file has.

The layout has no mirrored chart and no triangle without area, so all handedness is 1.
Axis letters: P vertices, T triangles, G groups of corners that share a tangent.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dreamfusion_engine.mesh.arrays import Floats, Ints

_NOTHING = 1e-20  # squared length under which a vector has no direction


class CornerTangents:
    """Tangents of one layout, for any places of its vertices.

    triangles: int[T, 3].
    uv: float32[T, 3, 2], v down, without mirrored or empty triangles.
    device: torch.device.
    """

    def __init__(self, triangles: Ints, uv: Floats, device: torch.device) -> None:
        bits = np.ascontiguousarray(uv.reshape(-1, 2), np.float32).view(np.uint32)
        keys = np.concatenate([np.asarray(triangles).reshape(-1, 1).astype(np.uint32), bits], 1)
        group = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
        self._groups = int(group.max()) + 1
        self._group = torch.from_numpy(group).to(device)
        self._corners = torch.from_numpy(np.asarray(triangles, np.int64).reshape(-1)).to(device)
        v = 1.0 - uv[..., 1].astype(np.float64)
        up = np.stack([v[:, 2] - v[:, 0], -(v[:, 1] - v[:, 0])], -1)  # dP/du as a mixture of two sides, but for a scale
        up /= np.linalg.norm(up, axis=-1, keepdims=True)
        self._mixture = torch.from_numpy(up.astype(np.float32)).to(device)

    def __call__(self, vertices: Tensor, normals: Tensor) -> Tensor:
        """Return unit tangents across the vertices' normals, float32[T, 3, 3]; gradients reach both.

        vertices: float32[P, 3], world units.
        normals: float32[P, 3], unit length.
        """
        points = vertices.index_select(0, self._corners).view(-1, 3, 3)
        normal = normals.index_select(0, self._corners).view(-1, 3, 3)
        sides = torch.stack([points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]], 1)
        along = _unit((self._mixture[..., None] * sides).sum(1))
        ahead = _unit(_across(points.roll(-1, 1) - points, normal))
        behind = _unit(_across(points.roll(1, 1) - points, normal))
        turned = (torch.linalg.cross(ahead, behind, dim=-1) * normal).sum(-1).abs()
        angle = torch.atan2(turned, (ahead * behind).sum(-1))
        weighted = angle[..., None] * _unit(_across(along[:, None].expand_as(normal), normal))
        total = vertices.new_zeros(self._groups, 3).index_add(0, self._group, weighted.reshape(-1, 3))
        return _unit(_across(total.index_select(0, self._group).view(-1, 3, 3), normal))


def _across(vectors: Tensor, normals: Tensor) -> Tensor:
    """The part of each vector that lies across its normal."""
    return vectors - (vectors * normals).sum(-1, keepdim=True) * normals


def _unit(vectors: Tensor) -> Tensor:
    """Unit vectors, without a jump of the gradient at 0."""
    return vectors * torch.rsqrt(vectors.square().sum(-1, keepdim=True) + _NOTHING)
