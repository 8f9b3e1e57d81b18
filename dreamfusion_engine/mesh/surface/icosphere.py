"""A sphere of nearly equal triangles: an icosahedron whose faces are divided in four again and again.

It comes with a layout of its own. Two faces that share an edge make a rhombus; ten of those lie in the texture, each as
large as the others and without distortion on the icosahedron. So no library has to cut the sphere open.
"""

from __future__ import annotations

import math

import numpy as np

from dreamfusion_engine.mesh.arrays import Doubles, Floats, Ints
from dreamfusion_engine.mesh.surface.loop import subdivided_corners, subdivision

FACES = 20
RHOMBI, ROWS, IN_ROW = 10, 4, 3  # rhombi, as they lie in the texture
GAP = 8  # texels between them: filtering and a blur of five texels reach less far ...
MOST_GAP = 1.0 / 32.0  # ... or this share of a small texture
_HIGH = math.sqrt(0.75)  # of a triangle with sides of 1


def icosphere(level: int) -> tuple[Doubles, Ints]:
    """Return unit vertices float64[10 * 4^level + 2, 3] and triangles int32[20 * 4^level, 3], seen from outside.

    Vertices 0 and 1 are the poles. Triangles of one face of the icosahedron follow one another.

    level: int, how often its faces are divided.
    """
    points, triangles = _icosahedron()
    for _ in range(level):
        step = subdivision(triangles)
        middles = points[step.edges].sum(1)
        points = np.concatenate([points, middles / np.linalg.norm(middles, axis=1, keepdims=True)])
        triangles = step.triangles
    return points, triangles


def icosphere_uv(level: int, texture: int) -> Floats:
    """Return the UVs of an icosphere's corners, float32[20 * 4^level, 3, 2], v down.

    level: int, as for `icosphere`.
    texture: int, texels along the side, which decide the gaps.
    """
    gap = min(GAP / texture, MOST_GAP)
    # A gap across slanted sides is wider along the row.
    side = min((1.0 - 2.0 * gap - (IN_ROW - 1) * gap / _HIGH) / (IN_ROW + 0.5), (1.0 - (ROWS + 1) * gap) / ROWS / _HIGH)
    along, across = np.array([side, 0.0]), np.array([0.5 * side, _HIGH * side])
    corners = []
    for number in range(RHOMBI):
        row, column = divmod(number, IN_ROW)
        first = np.array([gap + column * (side + gap / _HIGH), gap + row * (_HIGH * side + gap)])
        corners += [[first, first + along, first + across], [first + along, first + along + across, first + across]]
    uv = np.array(corners)
    for _ in range(level):
        uv = subdivided_corners(uv)
    uv[..., 1] = 1.0 - uv[..., 1]
    return uv.astype(np.float32)


def chart_of_triangles(level: int) -> Ints:
    """Return the rhombus of each triangle of an icosphere, int32[20 * 4^level].

    level: int, as for `icosphere`.
    """
    return np.repeat(np.arange(RHOMBI, dtype=np.int32), 2 * 4**level)


def _icosahedron() -> tuple[Doubles, Ints]:
    """Its vertices, poles first, and faces; faces 2 r and 2 r + 1 make rhombus r, as `icosphere_uv` lays it."""
    ring = 2.0 * math.pi * np.arange(5) / 5.0
    high, wide = 1.0 / math.sqrt(5.0), 2.0 / math.sqrt(5.0)
    upper, lower = (
        np.stack([wide * np.cos(at), wide * np.sin(at), np.full(5, z)], -1)
        for at, z in ((ring, high), (ring + math.pi / 5.0, -high))
    )
    points = np.concatenate([[[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]], upper, lower])
    faces = []
    for k in range(5):
        u, v, low, beyond = 2 + k, 2 + (k + 1) % 5, 7 + k, 7 + (k + 1) % 5
        faces += [(0, u, v), (u, low, v), (1, beyond, low), (beyond, v, low)]
    return points, np.array(faces, np.int32)
