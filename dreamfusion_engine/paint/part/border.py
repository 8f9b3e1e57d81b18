"""The border of a part, and the weight with which a change blends at it. Pure functions on numpy arrays.

Inside the part the weight rises from 0 at the border to 1: w = s(d / b), s(x) = 3 x^2 - 2 x^3 for x in [0, 1], with
the distance d to the nearest point of the border and the width b. Axis letters: T triangles, E edges, N points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dreamfusion_engine.mesh.arrays import Bools, Doubles
from dreamfusion_engine.mesh.surface.topology import directed_edges, parts_of

SAMPLES = 8  # of a border's edges for each width of the blend
MOST_SAMPLES = 1 << 20
CANDIDATES = 6  # samples whose edges are looked at exactly
NARROW = 0.5  # of the way from the border of a piece to its innermost triangle: the blend is no wider


def smooth_step(share: Doubles) -> Doubles:
    """Return 3 x^2 - 2 x^3 of x clipped to [0, 1], float64[N]."""
    x = np.clip(share, 0.0, 1.0)
    return np.asarray(x * x * (3.0 - 2.0 * x))


class Border:
    """Where a part ends and what stays begins.

    vertices: float[V, 3], world units; those at the same place are one.
    triangles: int[T, 3].
    inside: bool[T], the triangles of the part.
    width: float, world units over which the change blends; less in a piece that is too small for it.
    """

    def __init__(
        self, vertices: NDArray[np.floating], triangles: NDArray[np.integer], inside: Bools, width: float
    ) -> None:
        places, welded = np.unique(vertices.astype(np.float32), axis=0, return_inverse=True)
        corners = welded.reshape(-1)[triangles].astype(np.int64)
        between = _edges_between(corners, inside)
        self.edges = places[between].astype(np.float64)
        samples, self._edge = _sampled(self.edges, width)
        self._tree = cKDTree(samples) if len(samples) else None
        self.width = np.full(len(triangles), width)  # of each triangle's piece
        self._near = np.zeros(len(triangles), bool)  # triangles that the blend can reach
        if width > 0.0 and len(between):
            touching = np.zeros(len(places), bool)
            touching[between] = True
            self._fit(vertices[triangles].astype(np.float64), corners, np.flatnonzero(inside), touching)

    def distance(self, points: NDArray[np.floating]) -> Doubles:
        """Return the distance to the border, float64[N], world units; infinite without a border.

        points: float[N, 3], world units.
        """
        if self._tree is None or len(points) == 0:
            return np.full(len(points), np.inf)
        count = min(CANDIDATES, self._tree.n)
        _, nearest = self._tree.query(points, k=count)
        edges = self.edges[self._edge[nearest.reshape(len(points), count)]]
        return np.asarray(_to_segments(points.astype(np.float64)[:, None], edges).min(1))

    def weight(self, points: NDArray[np.floating], triangle: NDArray[np.integer]) -> Doubles:
        """Return w in [0, 1] at points of the part, float64[N].

        points: float[N, 3], world units.
        triangle: int[N], the triangle of each, one of the part's.
        """
        width = self.width[triangle]
        near = self._near[triangle]
        found = np.ones(len(points))
        found[near] = smooth_step(self.distance(points[near]) / width[near])
        return found

    def _fit(self, shape: Doubles, corners: NDArray[np.int64], rows: NDArray[np.int64], touching: Bools) -> None:
        """Make the blend narrower in small pieces. Pieces that do not touch the border need none.

        shape: float64[T, 3, 3]. corners: int[T, 3], welded. rows: the part's triangles. touching: of welded vertices.
        """
        middle = shape[rows].mean(1)
        away = self.distance(middle)
        count, piece = parts_of(corners[rows])
        deepest, has_border = np.zeros(count), np.zeros(count, bool)
        np.maximum.at(deepest, piece, away)
        has_border[piece[touching[corners[rows]].any(1)]] = True
        self.width[rows] = np.minimum(self.width[rows], np.maximum(NARROW * deepest[piece], 1e-9))
        radius = np.linalg.norm(shape[rows] - middle[:, None], axis=2).max(1)
        self._near[rows] = has_border[piece] & (away - radius < self.width[rows])


def _edges_between(corners: NDArray[np.int64], inside: Bools) -> NDArray[np.int64]:
    """Edges that triangles on both sides have, int64[E, 2]."""
    ends = np.sort(directed_edges(corners), axis=1)
    proper = ends[:, 0] != ends[:, 1]
    edges, which = np.unique(ends[proper], axis=0, return_inverse=True)
    here = np.repeat(inside, 3)[proper]
    has = [np.zeros(len(edges), bool) for _ in range(2)]
    has[0][which.reshape(-1)[here]] = True
    has[1][which.reshape(-1)[~here]] = True
    return np.asarray(edges[has[0] & has[1]])


def _sampled(edges: Doubles, width: float) -> tuple[Doubles, NDArray[np.int64]]:
    """Points along edges, at most width / SAMPLES apart, float64[S, 3], and the edge of each, int64[S]."""
    if len(edges) == 0:
        return np.zeros((0, 3)), np.zeros(0, np.int64)
    length = np.linalg.norm(edges[:, 1] - edges[:, 0], axis=1)
    apart = max(width / SAMPLES, float(length.sum()) / MOST_SAMPLES, 1e-12)
    count = np.maximum(1, np.ceil(np.minimum(length / apart, MOST_SAMPLES))).astype(np.int64)
    edge = np.repeat(np.arange(len(edges)), count)
    number = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    along = ((number + 0.5) / count[edge])[:, None]
    return edges[edge, 0] + along * (edges[edge, 1] - edges[edge, 0]), edge


def _to_segments(points: Doubles, edges: Doubles) -> Doubles:
    """Distances from points [N, 1, 3] to segments [N, k, 2, 3], float64[N, k]."""
    begin, along = edges[:, :, 0], edges[:, :, 1] - edges[:, :, 0]
    square = np.maximum((along * along).sum(-1), 1e-300)
    share = np.clip(((points - begin) * along).sum(-1) / square, 0.0, 1.0)
    return np.asarray(np.linalg.norm(points - begin - share[..., None] * along, axis=-1))
