"""From marching cubes to a mesh an artist can use: real parts only, manifold, smooth, within the triangle budget."""

from __future__ import annotations

import fast_simplification
import numpy as np
from scipy import sparse

from dreamfusion_engine.mesh.manifold import stitched
from dreamfusion_engine.mesh.queries import Doubles, Ints
from dreamfusion_engine.mesh.topology import (
    Triangles,
    Vertices,
    compacted,
    directed_edges,
    is_manifold,
    part_volumes,
    parts_of,
)

TAUBIN_LAMBDA = 0.5  # shrinking step
TAUBIN_PASS = 0.1  # pass band k: 1 / lambda + 1 / mu = k (Taubin 1995, section 4)
AFTERWARDS = 4  # iterations after decimation at most: on large triangles more would take away shape
# Decimation's crumbs are parts under this share of min_part: real parts are larger, and keep most of their volume.
CRUMB = 0.5
NOTHING = 1e-6  # share of the largest part's volume that counts as none, where min_part is 0
AGGRESSION = (5.0, 7.0)  # of fast_simplification, in the order tried: lower is more careful and may miss the budget


def without_floaters(vertices: Vertices, triangles: Triangles, min_part: float) -> tuple[Doubles, Ints]:
    """Only the parts whose volume is at least `min_part` of the largest part's. min_part: in [0, 1)."""
    if len(triangles) == 0:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int32)
    volumes = np.abs(part_volumes(vertices, triangles))
    parts = parts_of(triangles)[1]
    return compacted(vertices, triangles[volumes[parts] >= min_part * volumes.max()])


def taubin_smoothed(vertices: Vertices, triangles: Triangles, iterations: int) -> Doubles:
    """Vertices after smoothing that removes ripples without shrinking: float64[V, 3].

    Taubin 1995, "A signal processing approach to fair surface design": each iteration is x <- x + lambda L x, then
    x <- x + mu L x with mu < -lambda; L x is the mean of the neighbours minus x.
    """
    start, end = directed_edges(triangles).T
    ones = np.ones(len(start))
    neighbours = sparse.csr_matrix((ones, (start, end)), shape=(len(vertices), len(vertices)))
    neighbours.data[:] = 1.0  # an edge that is used twice in one direction counts once
    mean = sparse.diags(1.0 / np.maximum(np.asarray(neighbours.sum(1)).ravel(), 1.0)) @ neighbours
    mu = 1.0 / (TAUBIN_PASS - 1.0 / TAUBIN_LAMBDA)
    x = np.asarray(vertices, np.float64)
    for _ in range(iterations):
        for step in (TAUBIN_LAMBDA, mu):
            x = x + step * (mean @ x - x)
    return x


def decimated(vertices: Vertices, triangles: Triangles, budget: int, min_part: float) -> tuple[Doubles, Ints]:
    """The closed manifold surface with at most `budget` triangles if that can be had, by quadric edge collapse.

    fast_simplification does not watch the topology: where two sheets touch afterwards they are cut apart, and the
    crumbs that this leaves, well under `min_part` of the largest part, are dropped. An outcome that is not manifold, or
    has lost or gained a real part, is thrown away; then other settings and larger budgets are tried, and in the
    end the surface stays as it was.
    """
    parts = parts_of(triangles)[0]
    target = budget
    while target < len(triangles):
        for aggression in AGGRESSION:
            aim = target
            for _ in range(3):
                points, faces = fast_simplification.simplify(
                    np.ascontiguousarray(vertices, np.float64),
                    np.ascontiguousarray(triangles, np.int32),
                    target_count=aim,
                    agg=aggression,
                )
                if len(faces) > aim:
                    break  # this setting cannot go so low
                found = without_floaters(*stitched(points, faces.astype(np.int32)), max(CRUMB * min_part, NOTHING))
                if not is_manifold(found[1]) or parts_of(found[1])[0] != parts:
                    break
                if len(found[1]) <= target:
                    return found
                aim -= 2 * (len(found[1]) - target)  # cutting apart added some
        target *= 2
    return np.asarray(vertices, np.float64), np.asarray(triangles, np.int32)


def cleaned(
    vertices: Vertices, triangles: Triangles, *, min_part: float, smoothing: int, budget: int
) -> tuple[Doubles, Ints]:
    """Floaters dropped, pinches cut, smoothed, decimated: a closed manifold surface. See the functions above.

    Up to a quarter of the smoothing is done again at the end: decimation keeps the odd spike, which shows as a pimple.
    """
    points, faces = without_floaters(*stitched(vertices, triangles), min_part)
    points, faces = decimated(taubin_smoothed(points, faces, smoothing), faces, budget, min_part)
    return taubin_smoothed(points, faces, min(AFTERWARDS, smoothing // 4)), faces
