"""Find the exact overlap of UV triangles: pairs whose insides meet, and the area that they share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dreamfusion_engine.mesh.arrays import Doubles, Floats

TOUCH = 1e-6  # UV units (a thousandth of a texel at 1024): triangles that reach less far into each other only touch


def uv_areas(uv: NDArray[np.floating]) -> Doubles:
    """Return signed areas float64[T] of the triangles uv, float[T, 3, 2]."""
    a, b, c = uv.astype(np.float64).transpose(1, 0, 2)
    return 0.5 * ((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]))


def overlapping_pairs(uv: NDArray[np.floating], touch: float = TOUCH) -> NDArray[np.int64]:
    """Return pairs int64[P, 2] of triangles whose insides meet, first < second.

    By separating axes: two convex shapes are apart exactly if they are apart along the normal of one of their edges.

    uv: float[T, 3, 2].
    touch: float, depth of penetration that still counts as touching, UV units.
    """
    corners = uv.astype(np.float64)
    pairs = _nearby_pairs(corners)
    found = [pairs[:0]]
    for start in range(0, len(pairs), 1 << 19):
        piece = pairs[start : start + (1 << 19)]
        p, q = corners[piece[:, 0]], corners[piece[:, 1]]
        apart = np.zeros(len(piece), bool)
        for shape in (p, q):
            edges = np.roll(shape, -1, axis=1) - shape
            normals = np.stack([-edges[..., 1], edges[..., 0]], -1)
            normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-30)
            for axis in range(3):
                along_p, along_q = (np.einsum("nci,ni->nc", s, normals[:, axis]) for s in (p, q))
                depth = np.minimum(along_p.max(1) - along_q.min(1), along_q.max(1) - along_p.min(1))
                apart |= depth <= touch
        found.append(piece[~apart])
    return np.concatenate(found)


def shared_area(p: Doubles, q: Doubles) -> float:
    """Return the area that two triangles float64[3, 2] share: p clipped at q's edges (Sutherland and Hodgman 1974).

    p, q: float64[3, 2].
    """
    if uv_areas(q[None])[0] < 0.0:
        q = q[::-1]
    polygon = list(p)
    for a, b in zip(q, np.roll(q, -1, axis=0), strict=True):
        heights = [(b[0] - a[0]) * (x[1] - a[1]) - (b[1] - a[1]) * (x[0] - a[0]) for x in polygon]
        kept = []
        for i, (x, h) in enumerate(zip(polygon, heights, strict=True)):
            before, h_before = polygon[i - 1], heights[i - 1]
            if (h >= 0.0) != (h_before >= 0.0):
                kept.append(before + (x - before) * (h_before / (h_before - h)))
            if h >= 0.0:
                kept.append(x)
        polygon = kept
        if len(polygon) < 3:
            return 0.0
    ring = np.array(polygon)
    following = np.roll(ring, -1, axis=0)
    return 0.5 * abs(float((ring[:, 0] * following[:, 1] - ring[:, 1] * following[:, 0]).sum()))


def uv_overlap(uv: NDArray[np.floating]) -> float:
    """Return the share of the used UV area that is used twice, summed over pairs: 0 for a good unwrap.

    uv: float[T, 3, 2].
    """
    corners = uv.astype(np.float64)
    total = float(np.abs(uv_areas(corners)).sum())
    shared = sum(shared_area(corners[i], corners[j]) for i, j in overlapping_pairs(uv))
    return shared / total if total > 0.0 else 0.0


def without_overlap(uv: NDArray[np.floating], rounds: int = 8) -> Floats:
    """Return UV float32[T, 3, 2] in which, of each two triangles that overlap, the smaller one has shrunk away.

    Least-squares charts fold over here and there by a fraction of a texel. Of points spread over the smaller triangle,
    the one furthest outside the larger stays fixed, and the corners go half way to it. What overlaps after all rounds
    is left as it is.

    uv: float[T, 3, 2].
    rounds: int, most halvings.
    """
    corners = uv.astype(np.float64)
    for _ in range(rounds):
        pairs = overlapping_pairs(corners.astype(np.float32))
        if len(pairs) == 0:
            break
        areas = np.abs(uv_areas(corners))
        for i, j in pairs:
            small, large = (i, j) if areas[i] < areas[j] else (j, i)
            places = _SPREAD @ corners[small]
            fixed = places[_distance_outside(corners[large], places).argmax()]
            corners[small] = 0.5 * (corners[small] + fixed)
    return corners.astype(np.float32)


# Barycentric weights of the points tried: near the corners, between them, and the middle.
_SPREAD = np.array(
    [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.45, 0.45, 0.1], [0.1, 0.45, 0.45], [0.45, 0.1, 0.45]]
    + [[1.0 / 3.0] * 3]
)


def _distance_outside(triangle: Doubles, points: Doubles) -> Doubles:
    """How far points float64[n, 2] lie beyond the edge of the triangle float64[3, 2] that they are furthest out of."""
    if uv_areas(triangle[None])[0] < 0.0:
        triangle = triangle[::-1]
    edges = np.roll(triangle, -1, axis=0) - triangle
    outward = np.stack([edges[:, 1], -edges[:, 0]], -1) / np.maximum(
        np.linalg.norm(edges, axis=1, keepdims=True), 1e-30
    )
    return np.asarray(np.einsum("nei,ei->ne", points[:, None] - triangle[None], outward).max(1))


def _nearby_pairs(corners: Doubles) -> NDArray[np.int64]:
    """Pairs whose bounding boxes meet, int64[P, 2], found on a grid of buckets."""
    low, high = corners.min(1), corners.max(1)
    if len(corners) < 2:
        return np.zeros((0, 2), np.int64)
    origin = low.min(0)
    span = np.maximum(float((high - origin).max()), 1e-12)
    # Buckets about twice as wide as the average triangle, and few enough for the widest to be listed in them.
    count = int(np.clip(span / max(2.0 * float((high - low).mean()), 1e-12), 1, 2048))
    first = np.minimum(((low - origin) * (count / span)).astype(np.int64), count - 1)
    last = np.minimum(((high - origin) * (count / span)).astype(np.int64), count - 1)
    width, height = (last - first + 1).T
    owner = np.repeat(np.arange(len(corners)), width * height)
    rank = _ranks(width * height)
    bucket = (first[owner, 0] + rank % width[owner]) * count + first[owner, 1] + rank // width[owner]
    order = np.argsort(bucket, kind="stable")
    owner, bucket = owner[order], bucket[order]
    _, sizes = np.unique(bucket, return_counts=True)
    # Every entry is paired with those after it in its bucket.
    ahead = np.repeat(sizes, sizes) - _ranks(sizes) - 1
    a = np.repeat(np.arange(len(owner)), ahead)
    pairs = np.stack([owner[a], owner[a + 1 + _ranks(ahead)]], -1)
    meet = (low[pairs[:, 0]] < high[pairs[:, 1]]).all(1) & (low[pairs[:, 1]] < high[pairs[:, 0]]).all(1)
    pairs = np.sort(pairs[meet], 1)
    keys = np.unique(pairs[:, 0] * len(corners) + pairs[:, 1])
    return np.stack([keys // len(corners), keys % len(corners)], -1)


def _ranks(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 .. n - 1 for each n in sizes, one after another."""
    ends = np.cumsum(sizes)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - sizes, sizes)
