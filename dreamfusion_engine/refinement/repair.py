"""Take back what a refinement may not do to a surface: new crossings, and new folds of a closed one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from dreamfusion_engine.mesh.arrays import Bools, Doubles, Floats
from dreamfusion_engine.mesh.surface.crossing import crossings_of
from dreamfusion_engine.mesh.surface.folds import folds_of
from dreamfusion_engine.mesh.surface.topology import Triangles, directed_edges, is_closed

ROUNDS = 12  # of taking moves back around faults; after them all moves are taken back
BACK = 0.5  # share of its move that a vertex of a fault keeps in a round
RINGS = 3  # of neighbours that go back with it in the first round, one more each round


@dataclass(frozen=True, kw_only=True)
class SurfaceFaults:
    """What is wrong with a surface.

    closed: bool.
    folds: int, edges at which a closed surface turns back on itself; 0 of an open one, where they are not counted.
    crossings: int, pairs of triangles that pass through each other.
    touched: bool[V], vertices of either.
    """

    closed: bool
    folds: int
    crossings: int
    touched: Bools

    def no_more_than(self, other: SurfaceFaults) -> bool:
        """Whether neither count is above the other surface's."""
        return self.folds <= other.folds and self.crossings <= other.crossings


def surface_faults(vertices: Floats | Doubles, triangles: Triangles) -> SurfaceFaults:
    """Return the faults of any surface.

    vertices: float[V, 3].
    triangles: int[T, 3].
    """
    closed = is_closed(triangles)
    folds = folds_of(vertices, triangles) if closed else None
    crossed = crossings_of(vertices, triangles)
    touched = np.zeros(len(vertices), bool)
    touched[triangles[crossed > 0]] = True
    if folds is not None:
        touched[triangles[folds.edges // 3]] = True
    return SurfaceFaults(
        closed=closed,
        folds=0 if folds is None else len(folds.edges),
        crossings=int(crossed.sum()) // 2,
        touched=touched,
    )


def repaired(before: Floats, after: Floats, triangles: Triangles) -> tuple[Floats, SurfaceFaults, SurfaceFaults]:
    """Return vertices without more folds or crossings than before, float32[V, 3], and the faults before and at the end.

    Where the move made a fault, the vertices around it go back half of their way, in wider rings each time.

    before, after: float32[V, 3], with the same triangles; `after` finite.
    triangles: int[T, 3].
    """
    first = surface_faults(before, triangles)
    share = np.ones(len(before))
    mean = _neighbour_mean(len(before), triangles)
    found = surface_faults(after, triangles)
    placed = after
    for turn in range(ROUNDS):
        if found.no_more_than(first):
            return placed, first, found
        ring = found.touched.astype(np.float64)
        wide = ring
        for _ in range(RINGS + turn):
            wide = np.maximum(wide, mean @ wide)
        share *= 1.0 - (1.0 - BACK) * wide
        placed = _between(before, after, share)
        found = surface_faults(placed, triangles)
    return before, first, first


def _between(before: Floats, after: Floats, share: Doubles) -> Floats:
    moved = before + (share[:, None] * (after.astype(np.float64) - before)).astype(np.float32)
    still = (after == before).all(1)
    return np.where(still[:, None], before, moved).astype(np.float32)


def _neighbour_mean(count: int, triangles: Triangles) -> sparse.csr_matrix:
    start, end = directed_edges(triangles).T
    both = sparse.coo_matrix((np.ones(2 * len(start)), (np.r_[start, end], np.r_[end, start])), (count, count)).tocsr()
    both.data[:] = 1.0
    return sparse.diags(1.0 / np.maximum(np.asarray(both.sum(1)).ravel(), 1.0)) @ both
