"""Tangents of a textured surface as MikkTSpace has them, which glTF asks for and Blender computes.

A tangent points where u grows. Across it and the normal lies the bitangent, w * (n x t): it points where v grows
upwards, in a mirrored chart too, where w is -1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dreamfusion_engine.mesh.arrays import Doubles
from dreamfusion_engine.mesh.surface.topology import Triangles, Vertices

_NOTHING = 1e-30  # length under which a vector has no direction


def corner_tangents(
    vertices: Vertices, triangles: Triangles, normals: Vertices, uv: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Return the tangent of every corner, float32[T, 3, 4]: unit x, y, z across the vertex's normal, and w = +-1.

    Corners of one vertex, one UV and one handedness have the same: the sum of their triangles' dP/du, each laid into
    the plane of the normal, made unit and weighted by the corner's angle there. A triangle without area, in space or in
    the UVs, adds nothing and takes its neighbours'.

    vertices: float[V, 3].
    triangles: int[T, 3].
    normals: float[V, 3], unit length.
    uv: float[T, 3, 2], v down.
    Source: Mikkelsen 2008, "Simulation of wrinkled surfaces revisited"; glTF 2.0, section 3.7.2.1.
    """
    points = np.asarray(vertices, np.float64)[triangles]
    normal = np.asarray(normals, np.float64)[triangles]
    along, handed = _directions(points, np.asarray(uv, np.float64))
    group, place = _groups(triangles, uv, handed)
    ahead = _unit(_across(np.roll(points, -1, 1) - points, normal))
    behind = _unit(_across(np.roll(points, 1, 1) - points, normal))
    angle = np.arccos(np.clip((ahead * behind).sum(-1), -1.0, 1.0))
    weighted = angle[..., None] * _unit(_across(np.repeat(along[:, None], 3, 1), normal))
    weighted[handed == 0] = 0.0
    count = int(group.max(initial=-1)) + 1
    total = np.stack([np.bincount(group, weighted[..., i].reshape(-1), minlength=count) for i in range(3)], -1)
    tangent = _across(total[group].astype(np.float64).reshape(-1, 3, 3), normal)
    lost = np.linalg.norm(tangent, axis=-1) < 1e-9
    tangent[lost] = _across(np.eye(3)[np.abs(normal[lost]).argmin(-1)], normal[lost])  # any direction is as good
    sign = np.where(place < 0, -1.0, 1.0).reshape(-1, 3, 1)
    return np.concatenate([_unit(tangent), sign], -1).astype(np.float32)


def _directions(points: Doubles, uv: Doubles) -> tuple[Doubles, NDArray[np.int64]]:
    """Unit dP/du of each triangle, float64[T, 3], and its handedness: 1, -1 for a mirrored one, 0 without any area."""
    u, v = uv[..., 0], 1.0 - uv[..., 1]
    first, second = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
    u1, v1, u2, v2 = u[:, 1] - u[:, 0], v[:, 1] - v[:, 0], u[:, 2] - u[:, 0], v[:, 2] - v[:, 0]
    handed = np.sign(u1 * v2 - v1 * u2)
    along = handed[:, None] * (v2[:, None] * first - v1[:, None] * second)
    handed[np.linalg.norm(np.cross(first, second), axis=-1) == 0.0] = 0.0
    return _unit(along), handed.astype(np.int64)


def _groups(
    triangles: Triangles, uv: NDArray[np.floating], handed: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The group of every corner, int64[3 T], whose corners share a tangent, and every corner's handedness, 1 or -1."""
    bits = np.ascontiguousarray(uv.reshape(-1, 2), np.float32).view(np.uint32)
    keys = np.concatenate([np.asarray(triangles).reshape(-1, 1).astype(np.uint32), bits], 1)
    place = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    own = np.repeat(handed, 3)
    right, left = (np.bincount(place, own == side) for side in (1, -1))
    around = np.where(right[place] >= left[place], 1, -1)
    side = np.where(own == 0, around, own)
    return np.unique(2 * place + (side < 0), return_inverse=True)[1].reshape(-1), side


def _across(vectors: Doubles, normals: Doubles) -> Doubles:
    """The part of each vector that lies across its normal."""
    return vectors - (vectors * normals).sum(-1, keepdims=True) * normals


def _unit(vectors: Doubles) -> Doubles:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _NOTHING)
