"""Folds and crossings of a surface: where they are, and how vertices move to undo them.

An artist sees a fold as a black or white speck: the surface turns back on itself within a triangle or two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from dreamfusion_engine.mesh.crossing import crossings_of
from dreamfusion_engine.mesh.queries import Bools, Doubles
from dreamfusion_engine.mesh.topology import Triangles, Vertices, directed_edges, neighbour_weights, turns

FOLD = math.radians(120.0)  # an edge at which the surface turns by more is a fold
ROUNDS = 24  # of moving vertices at most
WIDER = 6  # rounds after which the vertices around those that move begin to move too
STEP = 0.5  # share of the way to the mean of its neighbours that a vertex moves in a round


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What is wrong with a surface. folds: edges. crossings: pairs of triangles. touched: bool[V], their vertices."""

    folds: int
    crossings: int
    touched: Bools

    @property
    def count(self) -> int:
        """Both together."""
        return self.folds + self.crossings


def fold_middles(vertices: Vertices, triangles: Triangles) -> Doubles:
    """Middles float64[F, 3] of the edges at which the closed surface turns by more than FOLD."""
    folded = _folded_edges(vertices, triangles)
    return np.asarray(_middles(vertices, triangles, folded))


def faults_of(vertices: Vertices, triangles: Triangles, known: Doubles | None = None) -> Faults:
    """The folds and crossings of a closed surface.

    known: float64[K, 3], middles of folds that may stay. A fold with one of them within the reach of its two triangles'
    longest edge does not count.
    """
    folded = _folded_edges(vertices, triangles)
    if known is not None and len(known) and len(folded):
        corners = np.asarray(vertices, np.float64)[triangles[folded // 3]]
        reach = np.linalg.norm(np.roll(corners, -1, 2) - corners, axis=-1).max((1, 2))
        folded = folded[cKDTree(known).query(_middles(vertices, triangles, folded))[0] > reach]
    crossings = crossings_of(vertices, triangles)
    touched = np.zeros(len(vertices), bool)
    touched[triangles[folded // 3]] = True
    touched[triangles[crossings > 0]] = True
    return Faults(folds=len(folded), crossings=int(crossings.sum()) // 2, touched=touched)


def unfolded(vertices: Vertices, triangles: Triangles, known: Doubles) -> tuple[Doubles, Faults]:
    """The closed surface's vertices float64[V, 3] with those of folds and crossings moved until none is left, and
    what is left where that fails.

    They move towards the mean of their neighbours, which is what a fold lacks: triangles as wide as they are high.
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


def _folded_edges(vertices: Vertices, triangles: Triangles) -> NDArray[np.int64]:
    """The two half-edges int64[F, 2] of each fold."""
    # As a file holds them: rounding to single precision must not make a fold.
    angles, edges = turns(np.asarray(vertices, np.float32), triangles)
    return edges[angles > FOLD]


def _middles(vertices: Vertices, triangles: Triangles, edges: NDArray[np.int64]) -> Doubles:
    ends = directed_edges(triangles)[edges[:, 0]]
    return np.asarray(vertices, np.float64)[ends].mean(1)


def _with_neighbours(chosen: Bools, triangles: Triangles) -> Bools:
    wider = chosen.copy()
    wider[triangles[chosen[triangles].any(1)]] = True
    return wider
