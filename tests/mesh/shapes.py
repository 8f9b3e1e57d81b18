"""Small meshes with known facts, for the tests of this folder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mesh = tuple[NDArray[np.float64], NDArray[np.int32]]

_CUBE = [(0, 2, 1), (1, 2, 3), (4, 5, 6), (5, 7, 6), (0, 1, 4), (1, 5, 4), (2, 6, 3), (3, 6, 7), (0, 4, 2), (2, 4, 6)]
_CUBE += [(1, 3, 5), (3, 7, 5)]


def cube(low: tuple[float, float, float] = (0.0, 0.0, 0.0), size: float = 1.0) -> Mesh:
    """An axis-aligned cube of 12 triangles, facing outward; corner i has the bits of i as (z, y, x)."""
    corners = np.array([[(i >> axis) & 1 for axis in (0, 1, 2)] for i in range(8)], np.float64)
    return corners * size + np.array(low), np.array(_CUBE, np.int32)


def joined(*meshes: Mesh) -> Mesh:
    """Several meshes as one."""
    vertices, triangles, count = [], [], 0
    for v, t in meshes:
        vertices.append(v)
        triangles.append(t + count)
        count += len(v)
    return np.concatenate(vertices), np.concatenate(triangles).astype(np.int32)


def welded(vertices: NDArray[np.float64], triangles: NDArray[np.int32]) -> Mesh:
    """The mesh with vertices at the same place made one."""
    places, index = np.unique(np.round(vertices, 9), axis=0, return_inverse=True)
    return places, index.reshape(-1)[triangles].astype(np.int32)


def lattice_torus(rings: int = 24, sides: int = 12, ring: float = 0.6, tube: float = 0.25) -> Mesh:
    """A torus around z of 2 * rings * sides triangles, facing outward."""
    i, j = np.meshgrid(np.arange(rings), np.arange(sides), indexing="ij")
    a, b = i * (2.0 * np.pi / rings), j * (2.0 * np.pi / sides)
    radius = ring + tube * np.cos(b)
    vertices = np.stack([radius * np.cos(a), radius * np.sin(a), tube * np.sin(b)], -1).reshape(-1, 3)
    at = lambda p, q: (p % rings) * sides + q % sides  # noqa: E731
    first = np.stack([at(i, j), at(i + 1, j), at(i + 1, j + 1)], -1)
    second = np.stack([at(i, j), at(i + 1, j + 1), at(i, j + 1)], -1)
    return vertices, np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)]).astype(np.int32)


def icosphere(subdivisions: int = 3, radius: float = 1.0) -> Mesh:
    """A sphere by splitting an octahedron's triangles in four, facing outward."""
    vertices = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float64)
    triangles = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    for _ in range(subdivisions):
        corners = vertices[triangles]
        middles = 0.5 * (corners + np.roll(corners, -1, 1))
        a, b, c = corners.transpose(1, 0, 2)
        ab, bc, ca = middles.transpose(1, 0, 2)
        split = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
        points = split.reshape(-1, 3)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        vertices, triangles = welded(points, np.arange(len(points), dtype=np.int32).reshape(-1, 3))
        vertices = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    return radius * vertices, triangles.astype(np.int32)
