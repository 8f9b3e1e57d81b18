"""The surface of which a part moves: files split vertices at seams, and the copies of one place must move as one.

Axis letters: V vertices of the canvas, W places, G groups of copies with one normal, T triangles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.arrays import Bools, Floats, Ints
from dreamfusion_engine.paint.canvas import Canvas
from dreamfusion_engine.paint.part.border import Border


@dataclass(frozen=True, kw_only=True)
class WeldedPart:
    """A canvas whose copies of a place are one vertex, and how free each is.

    places: float32[W, 3], world units.
    triangles: int32[T, 3], of places.
    place: int64[V], of each vertex of the canvas.
    freedom: float32[W] in [0, 1], how much of its move a place makes; 0: it stays bit for bit.
    normals: float32[G, 3], stored unit normals; a group is the copies of a place that have the same one.
    of_group: int64[G], the place of each group.
    corners: int32[T, 3], groups of the triangles' corners.
    group: int64[V], of each vertex of the canvas.
    turns: bool[G], groups whose normal may turn: no triangle outside of the part has it.
    """

    places: Floats
    triangles: Ints
    place: NDArray[np.int64]
    freedom: Floats
    normals: Floats
    of_group: NDArray[np.int64]
    corners: Ints
    group: NDArray[np.int64]
    turns: Bools


def welded_part(canvas: Canvas, chosen: Floats, inside: Bools, width: float) -> WeldedPart:
    """Return what may move of a canvas.

    From the border inwards the freedom rises from 0 to 1, as the colours' weight does.

    canvas: Canvas.
    chosen: float32[V] in [0, 1], how much each vertex may change.
    inside: bool[T], the triangles of the part.
    width: float, world units over which the freedom rises; less in a piece that is too small for it.
    Raises InputError paint.part where no vertex may move.
    """
    vertices = canvas.vertices.astype(np.float32) + np.float32(0.0)  # -0 is where 0 is
    places, place = np.unique(vertices, axis=0, return_inverse=True)
    place = place.reshape(-1).astype(np.int64)
    keys = np.concatenate([place[:, None].astype(np.float64), canvas.normals.astype(np.float64)], 1)
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    group = group.reshape(-1).astype(np.int64)
    triangles, corners = place[canvas.triangles], group[canvas.triangles]
    freedom = np.ones(len(places), np.float64)
    np.minimum.at(freedom, place, chosen.astype(np.float64))
    owner = np.full(len(places), -1, np.int64)
    rows = np.flatnonzero(inside)
    owner[triangles[rows].reshape(-1)] = np.repeat(rows, 3)
    freedom[owner < 0] = 0.0
    freedom[triangles[~inside]] = 0.0
    border = Border(canvas.vertices, canvas.triangles, inside, width)
    free = np.flatnonzero(freedom > 0.0)
    freedom[free] = np.minimum(freedom[free], border.weight(places[free], owner[free]))
    if not freedom.any():
        raise InputError(
            "paint.part",
            what="No vertex of the selection can move.",
            why="Each of them belongs to a face outside of it too, and those stay.",
            fix="Select more faces, or subdivide the part. Or change its texture alone.",
        )
    turns = np.ones(len(first), bool)
    turns[corners[~inside]] = False
    return WeldedPart(
        places=places,
        triangles=triangles.astype(np.int32),
        place=place,
        freedom=freedom.astype(np.float32),
        normals=canvas.normals[first].astype(np.float32),
        of_group=place[first],
        corners=corners.astype(np.int32),
        group=group,
        turns=turns,
    )
