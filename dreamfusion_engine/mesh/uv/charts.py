"""Make charts without a library: project along the six axes, and cut charts that fold over themselves.

A chart is a set of triangles that lie flat together. `chart` is int32[T], the chart of every triangle; `flat` is
float64[T, 3, 2], the corners' place in their chart's plane, in any one scale.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from dreamfusion_engine.mesh.arrays import Doubles, Floats, Ints
from dreamfusion_engine.mesh.surface.topology import Triangles, Vertices, directed_edges, face_normals, vertex_normals
from dreamfusion_engine.mesh.uv.overlap import overlapping_pairs
from dreamfusion_engine.mesh.uv.packing import pack

STEEPEST = 0.3  # cosine between a triangle and its chart's axis under which its own main axis is taken instead
HALVINGS = 12  # rounds of cutting overlapping charts in two before single triangles are taken out


def box_charts(vertices: Vertices, triangles: Triangles) -> tuple[Ints, Doubles]:
    """Return charts of connected triangles that face the same of the six axes, projected along it, in world units.

    vertices: float[V, 3], world units.
    triangles: int[T, 3].
    """
    own = face_normals(vertices, triangles)
    own = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-30)
    # The normals of the smooth surface make larger charts than those of its triangles.
    smooth = vertex_normals(vertices, triangles)[triangles].sum(1)
    facing = _main_axis(smooth)
    sign, axis = np.where(facing % 2 == 0, 1.0, -1.0), facing // 2
    steep = sign * own[np.arange(len(own)), axis] < STEEPEST
    facing = np.where(steep, _main_axis(own), facing)
    chart = connected_charts(triangles, facing)
    # Axes u, v with u x v along the direction each chart faces, so that no chart is mirrored.
    corners = np.asarray(vertices, np.float64)[triangles]
    u = (facing // 2 + 1) % 3
    v = (facing // 2 + 2) % 3
    u, v = np.where(facing % 2 == 0, u, v), np.where(facing % 2 == 0, v, u)
    rows, corner = np.arange(len(triangles))[:, None], np.arange(3)[None]
    return chart, np.stack([corners[rows, corner, u[:, None]], corners[rows, corner, v[:, None]]], -1)


def connected_charts(triangles: Triangles, label: NDArray[np.integer]) -> Ints:
    """Return charts int32[T]: triangles joined through edges whose two sides have the same label.

    triangles: int[T, 3].
    label: int[T].
    """
    start, end = directed_edges(triangles).T
    size = int(triangles.max()) + 1
    key = np.minimum(start, end) * size + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    pair = np.flatnonzero(key[order][1:] == key[order][:-1])
    a, b = order[pair] // 3, order[pair + 1] // 3
    same = label[a] == label[b]
    ones = np.ones(int(same.sum()), np.int8)
    graph = sparse.coo_matrix((ones, (a[same], b[same])), shape=(len(triangles), len(triangles)))
    return connected_components(graph, directed=False)[1].astype(np.int32)


def packed_without_overlap(
    vertices: Vertices, triangles: Triangles, chart: Ints, flat: Doubles, *, texture: int, padding: int
) -> tuple[Floats, Ints]:
    """Pack the charts into the unit square: uv float32[T, 3, 2] and charts int32[T], more where some had to be cut.

    A chart in which two triangles overlap is cut in the middle between them, in space, again and again. What still
    overlaps after HALVINGS rounds (triangles on top of each other) becomes a chart of its own.

    vertices: float[V, 3].
    triangles: int[T, 3].
    chart: int32[T].
    flat: float64[T, 3, 2].
    texture: int, pixels along the texture.
    padding: int, texels between charts.
    """
    centres = np.asarray(vertices, np.float64)[triangles].mean(1)
    chart, flat = with_area(chart, flat)
    rounds = 0
    while True:
        uv = pack(chart, flat, texture=texture, padding=padding)
        pairs = overlapping_pairs(uv)
        if len(pairs) == 0:
            return uv, chart
        rounds += 1
        fresh = int(chart.max()) + 1
        if rounds > HALVINGS:
            alone = np.unique(pairs[:, 1])
            chart[alone] = fresh + np.arange(len(alone))
            continue
        side = np.zeros(len(chart), np.int64)
        _, firsts = np.unique(chart[pairs[:, 0]], return_index=True)
        for i, j in pairs[firsts]:
            members = np.flatnonzero(chart == chart[i])
            way = centres[j] - centres[i]
            side[members[(centres[members] - 0.5 * (centres[i] + centres[j])) @ way > 0.0]] = 1
        cut = np.isin(chart, chart[pairs[firsts, 0]])
        # Pieces that hang together make a chart each; charts without overlap stay whole.
        pieces = connected_charts(triangles, 2 * chart.astype(np.int64) + side)
        chart = np.where(cut, fresh + pieces, chart)
        chart = np.unique(chart, return_inverse=True)[1].reshape(-1).astype(np.int32)


def with_area(chart: Ints, flat: Doubles) -> tuple[Ints, Doubles]:
    """Return charts in which every triangle has area: those flattened to a line get a small triangle of their own.

    chart: int32[T].
    flat: float64[T, 3, 2].
    """
    chart, flat = chart.copy(), flat.copy()
    u, v = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    area = 0.5 * np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    whole = np.sqrt(max(float(area.sum()), 1e-30))
    lines = np.flatnonzero(area < 1e-12 * whole * whole)
    chart[lines] = int(chart.max(initial=0)) + 1 + np.arange(len(lines))
    flat[lines] = 1e-3 * whole * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    return chart, flat


def _main_axis(normals: Doubles) -> NDArray[np.int64]:
    """0 .. 5 for +x, -x, +y, -y, +z, -z."""
    axis = np.abs(normals).argmax(1)
    return 2 * axis + (normals[np.arange(len(normals)), axis] < 0.0)
