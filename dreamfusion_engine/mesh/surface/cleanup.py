"""Clean up marching cubes to a usable mesh: real parts only, manifold, smooth, within the triangle budget."""

from __future__ import annotations

import fast_simplification
import numpy as np

from dreamfusion_engine.mesh.arrays import Doubles, Ints
from dreamfusion_engine.mesh.surface.folds import Faults, Folds, faults_of, folds_of, unfolded
from dreamfusion_engine.mesh.surface.manifold import stitched
from dreamfusion_engine.mesh.surface.symmetry import closed_by_its_image, half_of, is_mirrored, mirrored_again
from dreamfusion_engine.mesh.surface.topology import (
    Triangles,
    Vertices,
    compacted,
    is_manifold,
    neighbour_weights,
    part_volumes,
    parts_of,
)

TAUBIN_LAMBDA = 0.5  # shrinking step
TAUBIN_PASS = 0.1  # pass band k: 1 / lambda + 1 / mu = k (Taubin 1995, section 4)
# Taubin iterations after decimation, against facets: on large triangles each takes away shape too, and shading is
# nearest to the undecimated surface's at 1 or 2.
AFTERWARDS = 2  # at most
SHARE_AFTERWARDS = 10  # one for so many before it
# Decimation's crumbs are parts under this share of min_part: real parts are larger, and keep most of their volume.
CRUMB = 0.5
NOTHING = 1e-6  # share of the largest part's volume that counts as none, where min_part is 0
# Ways of fast_simplification, in the order tried: the share of the triangles that one pass leaves, and its
# aggressiveness. It compares normals with those at the start of a pass, so short passes let nothing turn far; one pass
# (share 0) folds surfaces, but gets through where little space is left.
WAYS = ((0.7, 3.0), (0.7, 5.0), (0.0, 5.0), (0.0, 7.0))


def without_floaters(vertices: Vertices, triangles: Triangles, min_part: float) -> tuple[Doubles, Ints]:
    """Keep only the parts whose volume is at least `min_part` of the largest part's.

    vertices: float[V, 3].
    triangles: int[T, 3].
    min_part: float in [0, 1).
    """
    if len(triangles) == 0:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int32)
    volumes = np.abs(part_volumes(vertices, triangles))
    parts = parts_of(triangles)[1]
    return compacted(vertices, triangles[volumes[parts] >= min_part * volumes.max()])


def taubin_smoothed(vertices: Vertices, triangles: Triangles, iterations: int) -> Doubles:
    """Return vertices float64[V, 3] after smoothing that removes ripples without shrinking.

    Each iteration is x <- x + lambda L x, then x <- x + mu L x with mu < -lambda; L x is the mean of the neighbours
    minus x.

    vertices: float[V, 3].
    triangles: int[T, 3].
    iterations: int, at least 0.
    Source: Taubin 1995, "A signal processing approach to fair surface design".
    """
    mean = neighbour_weights(len(vertices), triangles)
    mu = 1.0 / (TAUBIN_PASS - 1.0 / TAUBIN_LAMBDA)
    x = np.asarray(vertices, np.float64)
    for _ in range(iterations):
        for step in (TAUBIN_LAMBDA, mu):
            x = x + step * (mean @ x - x)
    return x


def cleaned(
    vertices: Vertices, triangles: Triangles, *, min_part: float, smoothing: int, mirrored: bool = False
) -> tuple[Doubles, Ints]:
    """Return a closed manifold surface: pinches cut, floaters dropped, smoothed.

    vertices: float[V, 3].
    triangles: int[T, 3].
    min_part: float in [0, 1), as for `without_floaters`.
    smoothing: int, iterations of `taubin_smoothed`.
    mirrored: bool, whether it is its own image in x = 0 to the bit, and is to stay so.
    """
    points, faces = without_floaters(*stitched(vertices, triangles), min_part)
    smooth = taubin_smoothed(points, faces, smoothing)
    return mirrored_again(points, smooth, faces) if mirrored else (smooth, faces)


def decimated(
    vertices: Vertices,
    triangles: Triangles,
    budget: int,
    min_part: float,
    smoothing: int = 0,
    *,
    mirrored: bool = False,
) -> tuple[Doubles, Ints]:
    """Return the closed manifold surface with at most `budget` triangles where possible, by quadric edge collapse.

    fast_simplification does not watch the topology. Where two sheets touch afterwards they are cut apart; the crumbs
    that this leaves, well under `min_part` of the largest part, are dropped. An outcome that is not manifold, or has
    lost or gained a real part, is rejected. Of the others, the first without a new fold or crossing is taken, or the
    one with the fewest. Where none is left, larger budgets are tried; in the end the surface stays as it was.

    vertices: float[V, 3].
    triangles: int[T, 3].
    budget: int, triangles.
    min_part: float in [0, 1), as for `without_floaters`.
    smoothing: int, Taubin iterations before; a tenth of them, at most AFTERWARDS, follow where that brings no fold.
    mirrored: bool, whether it is its own image in x = 0 to the bit, and is to stay so.
    """
    known = folds_of(vertices, triangles)
    target = budget
    while target < len(triangles):
        best: tuple[Doubles, Ints, Faults] | None = None
        for share, aggression in WAYS:
            found = _within(vertices, triangles, target, min_part, share, aggression, mirrored)
            if found is None:
                continue
            points, faults = unfolded(*found, known)
            if mirrored:
                points, faces = mirrored_again(found[0], points, found[1])
                found, faults = (points, faces), faults_of(points, faces, known)
            if best is None or faults.count < best[2].count:
                best = points, found[1], faults
            if faults.count == 0:
                break
        if best is not None:
            points, faces, faults = best
            rounds = min(AFTERWARDS, smoothing // SHARE_AFTERWARDS)
            even = _evened(points, faces, rounds, known, faults.count)
            if not mirrored:
                return even, faces
            image = mirrored_again(points, even, faces)
            return image if faults_of(*image, known).count <= faults.count else (points, faces)
        target *= 2
    return np.asarray(vertices, np.float64), np.asarray(triangles, np.int32)


def _evened(vertices: Doubles, triangles: Ints, iterations: int, known: Folds, allowed: int) -> Doubles:
    """The vertices smoothed, or as they were if more than `allowed` faults would come of it."""
    if iterations == 0:
        return vertices
    even, faults = unfolded(taubin_smoothed(vertices, triangles, iterations), triangles, known)
    return even if faults.count <= allowed else vertices


def _within(
    vertices: Vertices,
    triangles: Triangles,
    target: int,
    min_part: float,
    share: float,
    aggression: float,
    mirrored: bool,
) -> tuple[Doubles, Ints] | None:
    """The surface decimated in one of the WAYS to at most `target` triangles; None if that cannot be."""
    parts = parts_of(triangles)[0]
    aim = target
    for _ in range(3):
        if mirrored:
            half, whole, _ = half_of(vertices, triangles)
            half, whole = _collapsed(half, whole, aim // 2, share, aggression)
            points, faces = closed_by_its_image(half, whole, half[:, 0] == 0.0)
        else:
            points, faces = _collapsed(vertices, triangles, aim, share, aggression)
        if len(faces) > aim:
            return None
        found = without_floaters(*stitched(points, faces), max(CRUMB * min_part, NOTHING))
        if not is_manifold(found[1]) or parts_of(found[1])[0] != parts:
            return None
        if mirrored and not is_mirrored(*found):
            return None
        if len(found[1]) <= target:
            return found
        aim -= 2 * (len(found[1]) - target)  # cutting apart added some
    return None


def _collapsed(
    vertices: Vertices, triangles: Triangles, aim: int, share: float, aggression: float
) -> tuple[Doubles, Ints]:
    """fast_simplification, pass by pass, until `aim` is reached or a pass comes to nothing."""
    points = np.ascontiguousarray(vertices, np.float64)
    faces = np.ascontiguousarray(triangles, np.int32)
    before = len(faces) + 1
    while aim < len(faces) < before:
        before = len(faces)
        wanted = max(aim, int(share * before))
        points, faces = fast_simplification.simplify(points, faces, target_count=wanted, agg=aggression)
        faces = faces.astype(np.int32)
    return points, faces
