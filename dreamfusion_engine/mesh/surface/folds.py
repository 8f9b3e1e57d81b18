"""Find folds and crossings of a surface, and move vertices to undo them.

An artist sees a fold as a black or white speck: the surface turns back on itself within a triangle or two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dreamfusion_engine.mesh.arrays import Bools, Doubles
from dreamfusion_engine.mesh.surface.crossing import crossings_of
from dreamfusion_engine.mesh.surface.topology import Triangles, Vertices, directed_edges, neighbour_weights, turns

FOLD = math.radians(120.0)  # an edge at which the surface turns by more is a fold
ROUNDS = 24  # of moving vertices at most
WIDER = 6  # rounds after which the vertices around those that move begin to move too
STEP = 0.5  # share of the way to the mean of its neighbours that a vertex moves in a round


@dataclass(frozen=True, kw_only=True)
class Folds:
    """Edges at which a closed surface turns by more than FOLD.

    edges: int64[F, 2], the two half-edges of each.
    angles: float64[F], radians.
    middles: float64[F, 3], middles of the edges.
    """

    edges: NDArray[np.int64]
    angles: Doubles
    middles: Doubles


@dataclass(frozen=True, kw_only=True)
class Faults:
    """The faults of a surface.

    folds: int, edges.
    crossings: int, pairs of triangles.
    touched: bool[V], vertices of either.
    """

    folds: int
    crossings: int
    touched: Bools

    @property
    def count(self) -> int:
        """Folds and crossings together."""
        return self.folds + self.crossings


def folds_of(vertices: Vertices, triangles: Triangles) -> Folds:
    """Return the folds of a closed surface, its vertices rounded to float32, as in a file.

    vertices: float[V, 3], world units.
    triangles: int[T, 3].
    """
    points = np.asarray(vertices, np.float32)
    angles, edges = turns(points, triangles)
    folded = angles > FOLD
    ends = directed_edges(triangles)[edges[folded, 0]]
    return Folds(edges=edges[folded], angles=angles[folded], middles=points.astype(np.float64)[ends].mean(1))


def faults_of(vertices: Vertices, triangles: Triangles, known: Folds | None = None) -> Faults:
    """Return the folds and crossings of a closed surface.

    vertices: float[V, 3].
    triangles: int[T, 3].
    known: Folds that may stay. A fold does not count if a known one, at least as sharp, lies within the reach of its
        two triangles' longest edge.
    """
    folds = folds_of(vertices, triangles)
    folded = folds.edges // 3
    if known is not None:
        folded = folded[~_excused(folds, known, np.asarray(vertices, np.float64)[triangles[folded]])]
    crossings = crossings_of(vertices, triangles)
    touched = np.zeros(len(vertices), bool)
    touched[triangles[folded]] = True
    touched[triangles[crossings > 0]] = True
    return Faults(folds=len(folded), crossings=int(crossings.sum()) // 2, touched=touched)


def unfolded(vertices: Vertices, triangles: Triangles, known: Folds) -> tuple[Doubles, Faults]:
    """Move vertices until no fold or crossing is left; return vertices float64[V, 3] and the faults that remain.

    Vertices of faults move towards the mean of their neighbours, until triangles are as wide as they are high.

    vertices: float[V, 3], of a closed surface.
    triangles: int[T, 3].
    known: as for `faults_of`.
    """
    x = np.asarray(vertices, np.float64)
    best = x, faults_of(x, triangles, known)
    found = best[1]
    mean = neighbour_weights(len(x), triangles)
    for step in range(ROUNDS):
        if found.count == 0:
            break
        moving = found.touched
        for _ in range(step // WIDER):
            moving = _with_neighbours(moving, triangles)
        x = np.where(moving[:, None], x + STEP * (mean @ x - x), x)
        found = faults_of(x, triangles, known)
        if found.count < best[1].count:
            best = x, found
    return best


def _excused(folds: Folds, known: Folds, corners: Doubles) -> Bools:
    """Which folds have a known one at least as sharp beside them, bool[F]. corners: float64[F, 2, 3, 3]."""
    if len(folds.angles) == 0 or len(known.angles) == 0:
        return np.zeros(len(folds.angles), bool)
    reach = np.linalg.norm(np.roll(corners, -1, 2) - corners, axis=-1).max((1, 2))
    nearby = cKDTree(known.middles).query_ball_point(folds.middles, reach)
    sharpest = [known.angles[list(near)].max(initial=0.0) for near in nearby]
    return np.asarray(sharpest, np.float64) >= folds.angles


def _with_neighbours(chosen: Bools, triangles: Triangles) -> Bools:
    wider = chosen.copy()
    wider[triangles[chosen[triangles].any(1)]] = True
    return wider
