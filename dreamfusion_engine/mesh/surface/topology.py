"""Facts about triangle meshes: closed or not, pieces, handles, volume, normals. Pure functions on numpy arrays.

vertices: float[V, 3]; triangles: int[T, 3], counter-clockwise seen from outside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from dreamfusion_engine.mesh.arrays import Doubles, Ints

Vertices = NDArray[np.floating]
Triangles = NDArray[np.integer]


def directed_edges(triangles: Triangles) -> NDArray[np.int64]:
    """The half-edges int64[3 T, 2]: edge i of triangle t, from corner i to corner i + 1, is row 3 t + i."""
    return np.stack([triangles, np.roll(triangles, -1, axis=1)], -1).reshape(-1, 2).astype(np.int64)


def is_closed(triangles: Triangles) -> bool:
    """True if every edge is used by exactly two triangles, once in each direction: closed, consistently oriented."""
    if len(triangles) == 0:
        return False
    start, end = directed_edges(triangles).T
    size = int(triangles.max()) + 1
    forward, backward = np.sort(start * size + end), np.sort(end * size + start)
    return bool((start != end).all() and (np.diff(forward) > 0).all() and (forward == backward).all())


def is_manifold(triangles: Triangles) -> bool:
    """True if the surface is closed and the triangles around every vertex form one fan (no pinched vertices)."""
    if not is_closed(triangles):
        return False
    return int(vertex_fans(triangles)[0]) == len(np.unique(triangles))


def vertex_fans(triangles: Triangles) -> tuple[int, NDArray[np.int32]]:
    """Fans of corners joined across shared edges: their number, and the fan of every corner, int32[3 T].

    The surface must be closed. A vertex of a manifold has one fan; two cones that touch at their tips have two.
    """
    start, end = directed_edges(triangles).T
    size = int(triangles.max()) + 1
    forward, backward = np.argsort(start * size + end), np.argsort(end * size + start)
    return join_corners(forward, backward, len(triangles))


def join_corners(
    edges: NDArray[np.integer], opposites: NDArray[np.integer], count: int
) -> tuple[int, NDArray[np.int32]]:
    """Classes of the 3 * count corners when each half-edge in `edges` is glued to its opposite in `opposites`."""
    following = lambda e: e - e % 3 + (e + 1) % 3  # noqa: E731  (the corner at which half-edge e ends)
    a = np.concatenate([edges, following(edges)])
    b = np.concatenate([following(opposites), opposites])
    graph = sparse.coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(3 * count, 3 * count))
    number, labels = connected_components(graph, directed=False)
    return int(number), labels


def parts_of(triangles: Triangles) -> tuple[int, NDArray[np.int32]]:
    """Connected parts: their number and the part of every triangle, int32[T]."""
    if len(triangles) == 0:
        return 0, np.zeros(0, np.int32)
    size = int(triangles.max()) + 1
    start, end = directed_edges(triangles).T
    graph = sparse.coo_matrix((np.ones(len(start), np.int8), (start, end)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1][triangles[:, 0]]
    found, parts = np.unique(labels, return_inverse=True)
    return len(found), parts.astype(np.int32)


def triangle_volumes(vertices: Vertices, triangles: Triangles) -> Doubles:
    """Signed volumes float64[T] of the tetrahedra to the origin, a . (b x c) / 6; their sum is the enclosed volume."""
    a, b, c = vertices.astype(np.float64)[triangles].transpose(1, 0, 2)
    return np.asarray(np.einsum("ti,ti->t", a, np.cross(b, c)) / 6.0)


def volume(vertices: Vertices, triangles: Triangles) -> float:
    """Enclosed volume, cubic world units, positive if triangles face outward (divergence theorem)."""
    return float(triangle_volumes(vertices, triangles).sum())


def part_volumes(vertices: Vertices, triangles: Triangles) -> Doubles:
    """Enclosed volume of every connected part, float64[parts], in the order of `parts_of`."""
    number, parts = parts_of(triangles)
    return np.asarray(np.bincount(parts, triangle_volumes(vertices, triangles), minlength=number), np.float64)


def genus(triangles: Triangles) -> int:
    """Number of handles of a closed surface, over all parts: sum of (2 - chi) / 2 with chi = V - E + T (Euler)."""
    if len(triangles) == 0:
        return 0
    chi = len(np.unique(triangles)) - 3 * len(triangles) // 2 + len(triangles)
    return parts_of(triangles)[0] - chi // 2


def face_normals(vertices: Vertices, triangles: Triangles) -> Doubles:
    """Normals float64[T, 3], as long as twice the triangle's area."""
    a, b, c = vertices.astype(np.float64)[triangles].transpose(1, 0, 2)
    return np.cross(b - a, c - a)


def turns(vertices: Vertices, triangles: Triangles) -> tuple[Doubles, NDArray[np.int64]]:
    """How far the surface turns at each edge: angles float64[E] between the normals of its two triangles, radians in
    [0, pi], and the half-edges int64[E, 2] that lie along it (see `directed_edges`). The surface must be closed.

    0 is flat, pi is folded back onto itself. A triangle without area has no normal: its edges turn by pi / 2.
    """
    start, end = directed_edges(triangles).T
    size = int(triangles.max()) + 1 if len(triangles) else 1
    order = np.argsort(np.where(start < end, start * size + end, end * size + start), kind="stable")
    pairs = order.reshape(-1, 2)
    normal = _unit(face_normals(vertices, triangles))
    cosine = np.einsum("ei,ei->e", normal[pairs[:, 0] // 3], normal[pairs[:, 1] // 3])
    return np.arccos(np.clip(cosine, -1.0, 1.0)), pairs


def vertex_normals(vertices: Vertices, triangles: Triangles) -> Doubles:
    """Unit normals float64[V, 3]: face normals weighted by their angle at the vertex (Thuermer and Wuethrich 1998)."""
    corners = vertices.astype(np.float64)[triangles]
    normal = _unit(face_normals(vertices, triangles))
    ahead = _unit(np.roll(corners, -1, 1) - corners)
    behind = _unit(np.roll(corners, 1, 1) - corners)
    angle = np.arccos(np.clip(np.einsum("tci,tci->tc", ahead, behind), -1.0, 1.0))
    weighted = angle[:, :, None] * normal[:, None, :]
    summed = [
        np.bincount(triangles.reshape(-1), weighted[:, :, i].reshape(-1), minlength=len(vertices)) for i in range(3)
    ]
    total = np.stack(summed, -1).astype(np.float64)
    lost = np.linalg.norm(total, axis=-1) < 1e-9  # a fold of two opposite triangles: any direction is as good
    total[lost] = (0.0, 0.0, 1.0)
    return _unit(total)


def neighbour_weights(count: int, triangles: Triangles) -> sparse.csr_matrix:
    """The matrix float64[count, count] that takes the vertices to the means of their neighbours."""
    start, end = directed_edges(triangles).T
    neighbours = sparse.csr_matrix((np.ones(len(start)), (start, end)), shape=(count, count))
    neighbours.data[:] = 1.0  # an edge that is used twice in one direction counts once
    return sparse.diags(1.0 / np.maximum(np.asarray(neighbours.sum(1)).ravel(), 1.0)) @ neighbours


def compacted(vertices: Vertices, triangles: Triangles) -> tuple[Doubles, Ints]:
    """The same surface without unused vertices."""
    used, index = np.unique(triangles, return_inverse=True)
    return vertices[used].astype(np.float64), index.reshape(-1, 3).astype(np.int32)


def _unit(vectors: Doubles) -> Doubles:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-30)
