"""Closed surfaces that are their own mirror image in the plane x = 0, to the bit.

Such a surface is kept in halves where that matters: the half at x > 0 with its border on the plane, whose image closes
it. No triangle reaches through the plane, and none lies in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dreamfusion_engine.mesh.arrays import Bools, Doubles, Ints
from dreamfusion_engine.mesh.surface.lattice import Corners
from dreamfusion_engine.mesh.surface.manifold import APART
from dreamfusion_engine.mesh.surface.topology import Triangles, Vertices, compacted, directed_edges, join_corners

CLEAR = 1e-6  # world units that a vertex that is not of the plane keeps from it


def mirrored_lattice(values: Corners) -> Corners:
    """Return what a lattice has at its corners, [N + 1, ...], with the half at x < 0 the other's image. N is even."""
    middle = len(values) // 2
    result = values.copy()
    result[:middle] = values[:middle:-1]
    return result


def closed_by_its_image(vertices: Vertices, triangles: Triangles, plane: Bools) -> tuple[Doubles, Ints]:
    """Return the closed surface of a half and its image: vertices float64[V, 3], triangles int32[T, 3].

    Vertices of the plane get x = 0 and are in both; all others get x >= CLEAR. Triangles in the plane go. Where the
    half touches the plane without a border there, or itself in the plane, at an edge or a vertex, it is cut apart.

    vertices: float[V, 3], at x > 0 but for those of the plane.
    triangles: int[T, 3], facing outward.
    plane: bool[V], the vertices on the plane, which hold the whole border.
    """
    faces = np.asarray(triangles, np.int32)
    faces = faces[~plane[faces].all(1)]
    points, faces, plane = _without_inner_edges(np.asarray(vertices, np.float64), faces, plane)
    points, faces, plane = _one_fan_a_vertex(points, faces, plane)
    plane = plane & _on_border(faces, len(points))  # what only touches the plane comes off it
    points[:, 0] = np.where(plane, 0.0, np.maximum(points[:, 0], CLEAR))
    image = np.where(plane, np.arange(len(points)), len(points) + np.cumsum(~plane) - 1).astype(np.int32)
    others = points[~plane] * [-1.0, 1.0, 1.0]
    return compacted(np.concatenate([points, others]), np.concatenate([faces, image[faces][:, ::-1]]))


def _matched(triangles: Ints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Half-edges and those of the other direction between the same vertices, each pair once."""
    start, end = directed_edges(triangles).T
    size = int(triangles.max(initial=0)) + 1
    key, back = start * size + end, end * size + start
    order = np.argsort(key, kind="stable")
    place = np.minimum(np.searchsorted(key[order], back), len(key) - 1) if len(key) else np.zeros(0, np.int64)
    found = (key[order][place] == back) & (start < end) if len(key) else np.zeros(0, bool)
    return np.flatnonzero(found), order[place][found]


def _on_border(faces: Ints, count: int) -> Bools:
    """Which of `count` vertices are on a half-edge that has no other."""
    single = np.ones(3 * len(faces), bool)
    single[np.concatenate(_matched(faces))] = False
    border = np.zeros(count, bool)
    border[directed_edges(faces)[single]] = True
    return border


def _without_inner_edges(points: Doubles, faces: Ints, plane: Bools) -> tuple[Doubles, Ints, Bools]:
    """The half with a vertex beside the plane in the middle of each inner edge that lies in the plane."""
    ahead, back = _matched(faces)
    ends = directed_edges(faces)[ahead]
    inner = plane[ends].all(1)
    ahead, back, ends = ahead[inner], back[inner], ends[inner]
    third = np.stack([faces.reshape(-1)[e - e % 3 + (e + 2) % 3] for e in (ahead, back)], 1)
    middle = 0.5 * points[ends].sum(1)
    middle = middle + APART * (points[third].mean(1) - middle)
    fresh = len(points) + np.arange(len(ahead), dtype=np.int32)
    halves = []
    for edge, new in ((ahead, fresh), (back, fresh)):
        row, corner = edge // 3, edge % 3
        first, second = faces[row].copy(), faces[row].copy()
        first[np.arange(len(row)), (corner + 1) % 3] = new
        second[np.arange(len(row)), corner] = new
        halves += [first, second]
    kept = np.delete(faces, np.concatenate([ahead, back]) // 3, axis=0)
    return (
        np.concatenate([points, middle]),
        np.concatenate([kept, *halves]),
        np.append(plane, np.zeros(len(fresh), bool)),
    )


def _one_fan_a_vertex(points: Doubles, faces: Ints, plane: Bools) -> tuple[Doubles, Ints, Bools]:
    """The half with a vertex for each fan of triangles; copies move apart along the plane."""
    if len(faces) == 0:
        return points, faces, plane
    number, fan = join_corners(*_matched(faces), len(faces))
    origin = np.zeros(number, np.int64)
    origin[fan] = faces.reshape(-1)
    split = np.bincount(origin, minlength=len(points))[origin] > 1
    corners = np.repeat(points[faces].mean(1), 3, axis=0)
    count = np.bincount(fan, minlength=number)[:, None]
    middle = np.stack([np.bincount(fan, corners[:, i], minlength=number) for i in range(3)], -1) / count
    moved = np.where(split[:, None], points[origin] + APART * (middle - points[origin]), points[origin])
    return moved, fan.reshape(-1, 3).astype(np.int32), plane[origin]


def half_of(vertices: Vertices, triangles: Triangles) -> tuple[Doubles, Ints, Bools]:
    """Return the half at x > 0 of a surface that is its own image, and which of its vertices are on the plane.

    vertices: float[V, 3]; those of the plane have x = 0 exactly.
    triangles: int[T, 3].
    """
    kept = triangles[(np.asarray(vertices)[triangles][..., 0] > 0.0).any(1)]
    points, faces = compacted(vertices, kept)
    return points, faces, points[:, 0] == 0.0


def mirrored_again(before: Vertices, after: Vertices, triangles: Triangles) -> tuple[Doubles, Ints]:
    """Return a surface whose vertices have moved as its own image again, by what became of its half at x > 0.

    before: float[V, 3], its own image to the bit.
    after: float[V, 3], the same vertices elsewhere.
    triangles: int[T, 3].
    """
    kept = triangles[(np.asarray(before)[triangles][..., 0] > 0.0).any(1)]
    return closed_by_its_image(after, kept, np.asarray(before)[:, 0] == 0.0)


def is_mirrored(vertices: Vertices, triangles: Triangles) -> bool:
    """Return whether a surface is its own mirror image in x = 0, every triangle and every bit.

    vertices: float[V, 3].
    triangles: int[T, 3].
    """
    corners = np.asarray(vertices)[triangles] + 0.0  # no -0
    image = (corners * [-1.0, 1.0, 1.0] + 0.0)[:, ::-1]
    return _sorted(corners) == _sorted(image)


def _sorted(corners: NDArray[np.floating]) -> list[tuple[tuple[float, ...], ...]]:
    """Triangles that begin at their smallest corner, in order."""
    found = []
    for triangle in corners.tolist():
        places = [tuple(corner) for corner in triangle]
        first = places.index(min(places))
        found.append(tuple(places[first:] + places[:first]))
    return sorted(found)
