"""Cut a closed surface apart where it touches itself (Gueziec 2001, "Cutting and stitching")."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dreamfusion_engine.mesh.arrays import Doubles, Ints
from dreamfusion_engine.mesh.surface.topology import (
    Triangles,
    Vertices,
    compacted,
    directed_edges,
    is_manifold,
    join_corners,
)

APART = (
    1e-3  # copies of a split vertex move towards their own triangles by this share, so that no weld joins them again
)


def stitched(vertices: Vertices, triangles: Triangles) -> tuple[Doubles, Ints]:
    """Return a closed manifold: each edge is shared by two triangles and each vertex lies in one fan.

    Triangles with a repeated corner, and pairs that cover each other back to back, go. At an edge with more than two
    triangles, each is glued to the one across the solid between them, so solids that touch come apart. Every fan of
    glued corners gets a vertex of its own. Where two sheets still share both ends of an edge (a handle pinched to
    nothing), one gets a vertex on the edge's middle.

    vertices: float[V, 3].
    triangles: int[T, 3]; as many on one side of each edge as on the other, as in anything made from a closed surface by
        collapsing edges.
    """
    if is_manifold(triangles):
        return compacted(vertices, triangles)
    points, faces = np.asarray(vertices, np.float64), without_flaps(triangles)
    while len(faces):
        ahead, back = glued_edges(points, faces)
        points, faces = _split_fans(points, faces, ahead, back)
        doubled = _doubled_edges(faces, ahead)
        if len(ahead) == 0 or len(doubled) == 0:
            return compacted(points, faces)
        points, faces = _halved(points, faces, ahead[doubled], back[doubled])
    return np.zeros((0, 3)), np.zeros((0, 3), np.int32)


def _split_fans(
    vertices: Doubles, triangles: Ints, ahead: NDArray[np.int64], back: NDArray[np.int64]
) -> tuple[Doubles, Ints]:
    """One vertex for every fan of glued corners. Same triangles in the same order."""
    number, fan = join_corners(ahead, back, len(triangles))
    origin = np.zeros(number, np.int64)
    origin[fan] = triangles.reshape(-1)
    points, faces = vertices[origin], fan.reshape(-1, 3).astype(np.int32)
    split = np.bincount(origin, minlength=len(vertices))[origin] > 1
    if split.any():
        centres = np.repeat(points[faces].mean(1), 3, axis=0)
        count = np.bincount(fan, minlength=number)
        middle = np.stack([np.bincount(fan, centres[:, i], minlength=number) for i in range(3)], -1) / count[:, None]
        points = np.where(split[:, None], points + APART * (middle - points), points)
    return points, faces


def _doubled_edges(triangles: Ints, ahead: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of `ahead` whose edge has the same ends as an earlier row's, one row for each such edge."""
    ends = directed_edges(triangles)[ahead]
    key = ends[:, 0] * (int(triangles.max()) + 1) + ends[:, 1]
    later = np.setdiff1d(np.arange(len(key)), np.unique(key, return_index=True)[1])
    return later[np.unique(key[later], return_index=True)[1]]


def _halved(
    vertices: Doubles, triangles: Ints, ahead: NDArray[np.int64], back: NDArray[np.int64]
) -> tuple[Doubles, Ints]:
    """The surface with a new vertex in the middle of the given glued edges; of edges that share a triangle, one."""
    points, faces = list(vertices), list(triangles)
    touched: set[int] = set()
    for pair in zip(ahead.tolist(), back.tolist(), strict=True):
        rows = {e // 3 for e in pair}
        if rows & touched or len(rows) < 2:
            continue
        touched |= rows
        corners = [np.roll(triangles[e // 3], -(e % 3)) for e in pair]
        middle = 0.5 * (vertices[corners[0][0]] + vertices[corners[0][1]])
        inward = np.mean([vertices[c].mean(0) for c in corners], axis=0)
        points.append(middle + APART * (inward - middle))
        new = len(points) - 1
        for e, (a, b, c) in zip(pair, corners, strict=True):
            faces[e // 3] = np.array([a, new, c], np.int32)
            faces.append(np.array([new, b, c], np.int32))
    return np.array(points), np.array(faces, np.int32)


def without_flaps(triangles: Triangles) -> Ints:
    """Return triangles without repeated corners, and without pairs on the same corners that face opposite ways."""
    a, b, c = triangles.T
    faces = triangles[(a != b) & (b != c) & (c != a)].astype(np.int64)
    if len(faces) == 0:
        return np.zeros((0, 3), np.int32)
    first = faces.argmin(1)
    rolled = np.stack([faces[np.arange(len(faces)), (first + i) % 3] for i in range(3)], -1)
    side = np.where(rolled[:, 1] < rolled[:, 2], 1, -1)
    _, group, size = np.unique(np.sort(faces, 1), axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    if size.max() == 1:
        return faces.astype(np.int32)
    net = np.bincount(group, side)[group]
    # Of each group only the surplus of one side stays: its first |net| members.
    order = np.lexsort((-side * np.sign(net), group))
    starts = np.concatenate([[0], np.cumsum(size)])[:-1]
    rank = np.empty(len(faces), np.int64)
    rank[order] = np.arange(len(faces)) - starts[group[order]]
    return faces[rank < np.abs(net)].astype(np.int32)


def glued_edges(vertices: Vertices, triangles: Triangles) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of opposite half-edges that belong together, two int64[E] of rows (see `directed_edges`).

    vertices: float[V, 3], world units.
    triangles: int[T, 3].
    """
    start, end = directed_edges(triangles).T
    size = int(triangles.max()) + 1
    upward = start < end
    key = np.where(upward, start * size + end, end * size + start)
    ahead, back = np.flatnonzero(upward), np.flatnonzero(~upward)
    ahead, back = ahead[np.argsort(key[ahead], kind="stable")], back[np.argsort(key[back], kind="stable")]
    _, count = np.unique(key[ahead], return_counts=True)
    _, count_back = np.unique(key[back], return_counts=True)
    if len(ahead) != len(back) or len(count) != len(count_back) or (key[ahead] != key[back]).any():
        return ahead[:0], back[:0]  # not closed: nothing is glued, and the caller's manifold test refuses the outcome
    starts = np.concatenate([[0], np.cumsum(count)])[:-1]
    for s, k in zip(starts[count > 1], count[count > 1], strict=True):
        back[s : s + k] = _across_solid(vertices, triangles, ahead[s : s + k], back[s : s + k])
    return ahead, back


def _across_solid(
    vertices: Vertices, triangles: Triangles, ahead: NDArray[np.int64], back: NDArray[np.int64]
) -> NDArray[np.int64]:
    """`back` in the order in which it faces `ahead` across the solid, around one edge.

    Looking along the edge of an `ahead` triangle, its solid lies on the side of falling angles: its partner is the next
    `back` triangle that way that is not taken.
    """
    corner = triangles[ahead[0] // 3]
    a, b = (np.asarray(vertices[corner[(ahead[0] % 3 + i) % 3]], np.float64) for i in (0, 1))
    along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-30)
    x = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    y = np.cross(along, x)

    def angle(edges: NDArray[np.int64]) -> Doubles:
        tips = np.asarray(vertices, np.float64)[triangles[edges // 3, (edges % 3 + 2) % 3]] - a
        return np.arctan2(tips @ y, tips @ x)

    gap = (angle(ahead)[:, None] - angle(back)[None, :]) % (2.0 * np.pi)
    taken = np.full(len(ahead), -1)
    # Nearest pairs first: in a clean arrangement, solids and gaps alternate and no two wish for the same.
    for flat in np.argsort(gap, axis=None, kind="stable"):
        i, j = divmod(int(flat), len(back))
        if taken[i] < 0 and j not in taken:
            taken[i] = j
    return back[taken]
