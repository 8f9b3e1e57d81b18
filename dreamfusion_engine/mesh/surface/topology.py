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
    """Return the half-edges int64[3 T, 2]: edge i of triangle t, from corner i to corner i + 1, is row 3 t + i."""
    return np.stack([triangles, np.roll(triangles, -1, axis=1)], -1).reshape(-1, 2).astype(np.int64)


def is_closed(triangles: Triangles) -> bool:
    """Return whether every edge has exactly two triangles, once in each direction: closed, consistently oriented."""
    if len(triangles) == 0:
        return False
    start, end = directed_edges(triangles).T
    size = int(triangles.max()) + 1
    forward, backward = np.sort(start * size + end), np.sort(end * size + start)
    return bool((start != end).all() and (np.diff(forward) > 0).all() and (forward == backward).all())


def is_manifold(triangles: Triangles) -> bool:
    """Return whether the surface is closed and the triangles around every vertex form one fan (no pinched vertices)."""
    if not is_closed(triangles):
        return False
    return int(vertex_fans(triangles)[0]) == len(np.unique(triangles))


def vertex_fans(triangles: Triangles) -> tuple[int, NDArray[np.int32]]:
    """Return the number of fans, corners joined across shared edges, and the fan of every corner, int32[3 T].

    A vertex of a manifold has one fan; two cones that touch at their tips have two.

    triangles: int[T, 3], of a closed surface.
    """
    start, end = directed_edges(triangles).T
    size = int(triangles.max()) + 1
    forward, backward = np.argsort(start * size + end), np.argsort(end * size + start)
    return join_corners(forward, backward, len(triangles))


def join_corners(
    edges: NDArray[np.integer], opposites: NDArray[np.integer], count: int
) -> tuple[int, NDArray[np.int32]]:
    """Return the classes of corners when each half-edge is glued to its opposite: their number, and int32[3 * count].

    edges, opposites: int[E], half-edges.
    count: int, triangles.
    """
    following = lambda e: e - e % 3 + (e + 1) % 3  # noqa: E731  (the corner at which half-edge e ends)
    a = np.concatenate([edges, following(edges)])
    b = np.concatenate([following(opposites), opposites])
    graph = sparse.coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(3 * count, 3 * count))
    number, labels = connected_components(graph, directed=False)
    return int(number), labels


def parts_of(triangles: Triangles) -> tuple[int, NDArray[np.int32]]:
    """Return the number of connected parts and the part of every triangle, int32[T]."""
    if len(triangles) == 0:
        return 0, np.zeros(0, np.int32)
    size = int(triangles.max()) + 1
    start, end = directed_edges(triangles).T
    graph = sparse.coo_matrix((np.ones(len(start), np.int8), (start, end)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1][triangles[:, 0]]
    found, parts = np.unique(labels, return_inverse=True)
    return len(found), parts.astype(np.int32)


def triangle_volumes(vertices: Vertices, triangles: Triangles) -> Doubles:
    """a . (b x c) / 6: signed volumes float64[T] of the tetrahedra to the origin; their sum is the enclosed volume.

    vertices: float[V, 3], world units.
    triangles: int[T, 3].
    """
    a, b, c = vertices.astype(np.float64)[triangles].transpose(1, 0, 2)
    return np.asarray(np.einsum("ti,ti->t", a, np.cross(b, c)) / 6.0)


def volume(vertices: Vertices, triangles: Triangles) -> float:
    """Return the enclosed volume, cubic world units, positive if triangles face outward (divergence theorem).

    vertices: float[V, 3], world units.
    triangles: int[T, 3], of a closed surface.
    """
    return float(triangle_volumes(vertices, triangles).sum())


def part_volumes(vertices: Vertices, triangles: Triangles) -> Doubles:
    """Return the enclosed volume of every connected part, float64[parts], in the order of `parts_of`.

    vertices: float[V, 3], world units.
    triangles: int[T, 3], of a closed surface.
    """
    number, parts = parts_of(triangles)
    return np.asarray(np.bincount(parts, triangle_volumes(vertices, triangles), minlength=number), np.float64)


def genus(triangles: Triangles) -> int:
    """Return the number of handles of a closed surface: sum over parts of (2 - chi) / 2, chi = V - E + T (Euler)."""
    if len(triangles) == 0:
        return 0
    chi = len(np.unique(triangles)) - 3 * len(triangles) // 2 + len(triangles)
    return parts_of(triangles)[0] - chi // 2


def face_normals(vertices: Vertices, triangles: Triangles) -> Doubles:
    """Return normals float64[T, 3], as long as twice the triangle's area.

    vertices: float[V, 3], world units.
    triangles: int[T, 3].
    """
    a, b, c = vertices.astype(np.float64)[triangles].transpose(1, 0, 2)
    return np.cross(b - a, c - a)


def turns(vertices: Vertices, triangles: Triangles) -> tuple[Doubles, NDArray[np.int64]]:
    """Return how far the surface turns at each edge, float64[E], radians in [0, pi], and its half-edges int64[E, 2].

    The turn is the angle between the normals of the edge's two triangles: 0 is flat, pi is folded back onto itself. A
    triangle without area has no normal: its edges turn by pi / 2. For half-edges see `directed_edges`.

    vertices: float[V, 3].
    triangles: int[T, 3], of a closed surface.
    """
    start, end = directed_edges(triangles).T
    size = int(triangles.max()) + 1 if len(triangles) else 1
    order = np.argsort(np.where(start < end, start * size + end, end * size + start), kind="stable")
    pairs = order.reshape(-1, 2)
    normal = _unit(face_normals(vertices, triangles))
    cosine = np.einsum("ei,ei->e", normal[pairs[:, 0] // 3], normal[pairs[:, 1] // 3])
    return np.arccos(np.clip(cosine, -1.0, 1.0)), pairs


def vertex_normals(vertices: Vertices, triangles: Triangles) -> Doubles:
    """Return unit normals float64[V, 3]: face normals weighted by angle (Thuermer and Wuethrich 1998).

    vertices: float[V, 3], world units.
    triangles: int[T, 3].
    """
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
    """Return the matrix float64[count, count] that maps the vertices to the means of their neighbours.

    count: int, V, vertices.
    triangles: int[T, 3].
    """
    start, end = directed_edges(triangles).T
    neighbours = sparse.csr_matrix((np.ones(len(start)), (start, end)), shape=(count, count))
    neighbours.data[:] = 1.0  # an edge that is used twice in one direction counts once
    return sparse.diags(1.0 / np.maximum(np.asarray(neighbours.sum(1)).ravel(), 1.0)) @ neighbours


def compacted(vertices: Vertices, triangles: Triangles) -> tuple[Doubles, Ints]:
    """Return the same surface without unused vertices.

    vertices: float[V, 3].
    triangles: int[T, 3].
    """
    used, index = np.unique(triangles, return_inverse=True)
    return vertices[used].astype(np.float64), index.reshape(-1, 3).astype(np.int32)


def _unit(vectors: Doubles) -> Doubles:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-30)
