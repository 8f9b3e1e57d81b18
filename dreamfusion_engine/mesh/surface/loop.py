"""Loop's subdivision of a closed surface, and the smooth surface in its limit, as matrices on the control vertices.

Every step makes four triangles of one. A vertex of the limit is a weighted mean of control vertices near it, so the
surface is linear in them, and their gradients are a product with the transposed matrix.
Source: Loop 1987, "Smooth subdivision surfaces based on triangles".
Axis letters: V vertices, E edges, T triangles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dreamfusion_engine.mesh.arrays import Doubles, Ints
from dreamfusion_engine.mesh.surface.topology import Triangles, directed_edges, is_manifold

_OF_ENDS, _OF_OPPOSITES = 3.0 / 8.0, 1.0 / 8.0  # weights of an edge's new vertex


@dataclass(frozen=True, kw_only=True)
class Subdivision:
    """A step of subdivision, without places. A vertex that was there keeps its number; those of edges follow.

    edges: int64[E, 2], the ends of each edge, the smaller first; edge e has the new vertex V + e.
    edge_of: int64[T, 3], the edge from each corner to the next.
    triangles: int32[4 T, 3]; rows 4 t to 4 t + 3 are parts of triangle t: one at each corner, then the middle one.
    """

    edges: NDArray[np.int64]
    edge_of: NDArray[np.int64]
    triangles: Ints


def subdivision(triangles: Triangles) -> Subdivision:
    """Return the step that makes four triangles of each.

    triangles: int[T, 3], of vertices 0 to V - 1, all of them used.
    """
    ends = np.sort(directed_edges(triangles), 1)
    edges, edge = np.unique(ends, axis=0, return_inverse=True)
    edge_of = edge.reshape(-1, 3)
    (a, b, c), (ab, bc, ca) = np.asarray(triangles, np.int64).T, edge_of.T + int(triangles.max()) + 1
    parts = np.stack([a, ab, ca, b, bc, ab, c, ca, bc, ab, bc, ca], -1)
    return Subdivision(edges=edges, edge_of=edge_of, triangles=parts.reshape(-1, 3).astype(np.int32))


def subdivided_corners(values: NDArray[np.floating]) -> Doubles:
    """Return values of the corners after a step, float64[4 T, 3, C]: halfway between two for the vertex of an edge.

    values: float[T, 3, C], such as UVs.
    """
    here = np.asarray(values, np.float64)
    half = 0.5 * (here + np.roll(here, -1, 1))  # of the edge from each corner to the next
    (a, b, c), (ab, bc, ca) = here.transpose(1, 0, 2), half.transpose(1, 0, 2)
    return np.stack([a, ab, ca, b, bc, ab, c, ca, bc, ab, bc, ca], 1).reshape(-1, 3, here.shape[-1])


def subdivision_matrix(triangles: Triangles) -> sparse.csr_matrix:
    """Return the matrix float64[V + E, V] from the vertices to those after a step of Loop's subdivision.

    triangles: int[T, 3], a closed surface in which every vertex has one fan.
    Raises ValueError for another surface.
    """
    _check(triangles)
    step, count = subdivision(triangles), int(triangles.max()) + 1
    own, beside = _vertex_weights(_valences(triangles, count))
    rows = np.arange(len(step.edges))
    opposite = np.roll(np.asarray(triangles), -2, 1)  # the corner across from the edge from each corner to the next
    edge = _summed(
        (_OF_ENDS, np.repeat(rows, 2), step.edges.reshape(-1)),
        (_OF_OPPOSITES, step.edge_of.reshape(-1), opposite.reshape(-1)),
        shape=(len(rows), count),
    )
    return sparse.vstack([_around(triangles, own, beside), edge]).tocsr()


def limit_matrix(triangles: Triangles) -> sparse.csr_matrix:
    """Return the matrix float64[V, V] from the vertices to their own places on the limit surface.

    triangles: as for `subdivision_matrix`.
    Raises ValueError for another surface.
    """
    _check(triangles)
    valence = _valences(triangles, int(triangles.max()) + 1)
    _, beside = _vertex_weights(valence)
    share = 1.0 / (valence + 3.0 / (8.0 * beside))
    return _around(triangles, 1.0 - valence * share, share)


def limit_surface(triangles: Triangles, steps: int) -> tuple[sparse.csr_matrix, Ints]:
    """Return the matrix from control vertices to places on the limit surface, and the triangles between these.

    triangles: int[T, 3], of the control mesh, as for `subdivision_matrix`.
    steps: int, of subdivision: 4^steps triangles for each of the control mesh; 0: its own.
    Raises ValueError for a surface that is not closed.
    """
    matrix = sparse.identity(int(triangles.max()) + 1, format="csr")
    fine = np.asarray(triangles, np.int32)
    for _ in range(steps):
        matrix = subdivision_matrix(fine) @ matrix
        fine = subdivision(fine).triangles
    return (limit_matrix(fine) @ matrix).tocsr(), fine


def _check(triangles: Triangles) -> None:
    if not is_manifold(triangles) or len(np.unique(triangles)) != int(triangles.max()) + 1:
        raise ValueError(
            "Loop's subdivision here needs a closed surface without loose vertices. Give triangles of which every edge "
            "has two, one in each direction."
        )


def _valences(triangles: Triangles, count: int) -> Doubles:
    """The number of every vertex's neighbours, float64[V]: on a closed surface that of its triangles."""
    return np.bincount(np.asarray(triangles).reshape(-1), minlength=count).astype(np.float64)


def _vertex_weights(valence: Doubles) -> tuple[Doubles, Doubles]:
    """Loop's weights 1 - n b of a vertex and b of each of its n neighbours: n b = 5/8 - (3/8 + cos(2 pi / n) / 4)^2."""
    beside = (0.625 - (0.375 + 0.25 * np.cos(2.0 * math.pi / valence)) ** 2) / valence
    return 1.0 - valence * beside, beside


def _around(triangles: Triangles, own: Doubles, beside: Doubles) -> sparse.csr_matrix:
    """The matrix with each vertex's own weight, and that of each of its neighbours."""
    start, end = directed_edges(triangles).T  # every neighbour once, as the surface is closed
    count = len(own)
    each = np.arange(count)
    return _summed((own, each, each), (beside[start], start, end), shape=(count, count))


def _summed(
    *terms: tuple[float | Doubles, NDArray[np.integer], NDArray[np.integer]], shape: tuple[int, int]
) -> sparse.csr_matrix:
    """The sparse matrix of terms (values, rows, columns); those of one place are added."""
    values = np.concatenate([np.broadcast_to(value, len(rows)) for value, rows, _ in terms])
    rows, columns = (np.concatenate([term[i] for term in terms]) for i in (1, 2))
    return sparse.coo_matrix((values, (rows, columns)), shape=shape).tocsr()
