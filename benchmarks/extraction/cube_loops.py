"""The loops that a surface cuts on a cube's sides: which crossed edges belong to one vertex of a dual surface.

A face of a cube with two inside and two outside corners across is ambiguous. Both cubes beside it read it alike, so
surfaces close. An edge between two dual vertices would have four quads where in both cubes one loop passes such a face
twice. There the face is read the other way, which splits both loops. So every surface is a manifold. FlexiCubes (arXiv
2308.05371) treats that case too, by a table; here the loops are found by rule, so there is none.

Corner c of a cube lies at (c & 1, c >> 1 & 1, c >> 2 & 1). Edge 4 a + b + 2 c runs along axis a, at b on axis a + 1 and
at c on axis a + 2. Face 2 a + s is the side s of axis a.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]


def _edge_corners() -> NDArray[np.int64]:
    ends = []
    for axis in range(3):
        for across in range(4):
            start = (across & 1) << (axis + 1) % 3 | (across >> 1) << (axis + 2) % 3
            ends.append((start, start | 1 << axis))
    return np.array(ends, np.int64)


EDGES = _edge_corners()  # int64[12, 2], corners of each edge, the lower first
_EDGE_OF = {frozenset(map(int, ends)): edge for edge, ends in enumerate(EDGES)}


def _ring(face: int) -> tuple[int, ...]:
    """The corners around a face."""
    axis, side = divmod(face, 2)
    first, second = 1 << (axis + 1) % 3, 1 << (axis + 2) % 3
    return tuple(side << axis | corner for corner in (0, first, first | second, second))


_RINGS = tuple(_ring(face) for face in range(6))


@cache  # at most 256 codes by the few ways to read their faces
def loops_of(code: int, turned: int) -> tuple[tuple[int, ...], int]:
    """Return the loop of each edge, 12 of them, -1 where it is not crossed, and the faces that one loop passes twice.

    code: int in [0, 256), bit c: corner c is inside.
    turned: int in [0, 64), bit f: the ambiguous face f joins its inside corners; else it keeps them apart.
    """
    inside = [bool(code >> corner & 1) for corner in range(8)]
    loop = [edge if inside[a] != inside[b] else -1 for edge, (a, b) in enumerate(EDGES.tolist())]
    ambiguous = []
    for face, ring in enumerate(_RINGS):
        around = [_EDGE_OF[frozenset((ring[k], ring[(k + 1) % 4]))] for k in range(4)]
        crossed = [edge for edge in around if loop[edge] >= 0]
        if len(crossed) == 4:
            ambiguous.append((face, around))
            cut_off = not turned >> face & 1
            pairs = [(around[k - 1], around[k]) for k in range(4) if inside[ring[k]] == cut_off]
        else:
            pairs = [(crossed[0], crossed[1])] if crossed else []
        for one, other in pairs:
            kept, gone = sorted((loop[one], loop[other]))
            loop = [kept if each == gone else each for each in loop]
    names = sorted({each for each in loop if each >= 0})
    numbered = tuple(names.index(each) if each >= 0 else -1 for each in loop)
    twice = sum(1 << face for face, around in ambiguous if len({numbered[edge] for edge in around}) == 1)
    return numbered, twice


def cube_codes(inside: NDArray[np.bool_]) -> Codes:
    """Return the code of each cube, int64[N, N, N].

    inside: bool[N + 1, N + 1, N + 1], of the corners.
    """
    count = inside.shape[0] - 1
    codes = np.zeros((count,) * 3, np.int64)
    for corner in range(8):
        x, y, z = corner & 1, corner >> 1 & 1, corner >> 2 & 1
        codes |= inside[x : x + count, y : y + count, z : z + count].astype(np.int64) << corner
    return codes


def manifold_turns(codes: Codes) -> Codes:
    """Return which ambiguous faces of each cube are read the other way, int64[N, N, N], as `turned` of `loops_of`.

    codes: int64[N, N, N].
    """
    turned = np.zeros_like(codes)
    for axis in range(3):
        across = np.moveaxis(codes, axis, 0), np.moveaxis(turned, axis, 0)
        for parity in (0, 1):  # so that no cube has two faces in a round: each is judged after the one before
            low, high = (np.s_[parity : len(codes) - 1 : 2], np.s_[parity + 1 :: 2])
            below = _twice(across[0][low], across[1][low]) >> (2 * axis + 1) & 1
            above = _twice(across[0][high], across[1][high]) >> (2 * axis) & 1
            both = below & above
            across[1][low] |= both << (2 * axis + 1)
            across[1][high] |= both << (2 * axis)
    return turned


def cube_loops(codes: Codes, turned: Codes) -> NDArray[np.int64]:
    """Return the loop of each edge of M cubes, int64[M, 12], -1 where it is not crossed.

    codes, turned: int64[M].
    """
    kinds, which = np.unique(codes * 64 + turned, return_inverse=True)
    rows = [loops_of(int(kind) // 64, int(kind) % 64)[0] for kind in kinds]
    return np.array(rows, np.int64).reshape(-1, 12)[which.reshape(-1)]


def _twice(codes: Codes, turned: Codes) -> Codes:
    """The faces that one loop passes twice, as bits, int64 like the codes."""
    kinds, which = np.unique(codes * 64 + turned, return_inverse=True)
    rows = np.array([loops_of(int(kind) // 64, int(kind) % 64)[1] for kind in kinds], np.int64)
    return rows[which.reshape(-1)].reshape(codes.shape)
