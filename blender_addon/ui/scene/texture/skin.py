"""Thin skins over painted meshes, made from the file that was sent: no bpy, so that a thread can make them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....core.engine.painted_glb import PaintedFile

MOST_TRIANGLES = 100_000  # of all skins of a job; larger meshes are shown in the panel only
_THICKNESS = 0.0015  # of the box's diagonal: enough that the surface below does not flicker through


@dataclass(frozen=True)
class Skin:
    """The skin of one object, in world coordinates as the object was read.

    number: int, of the object.
    parts: numbers of the object's parts in the file; `slots` counts in these.
    positions: float32[3 V]; triangles: int32[3 T]; uvs: float32[6 T], v up; slots: int32[T]; all numpy arrays.
    """

    number: int
    parts: tuple[int, ...]
    positions: Any
    triangles: Any
    uvs: Any
    slots: Any


def skins(source: bytes, about: Mapping[str, Any]) -> list[Skin]:
    """The skins of all objects; none where they would be too large for a quick view.

    source: bytes, the GLB that was sent.
    about: `Surfaces.about`.
    Raises DamagedMesh.
    """
    import numpy as np

    file = PaintedFile(source)
    if len(file) != len(about["parts"]):
        return []
    shown = [_shown_corners(file, number, part) for number, part in enumerate(about["parts"])]
    corners = [np.array(file.positions(number), np.float32).reshape(-1, 3)[those] for number, those in enumerate(shown)]
    if sum(map(len, corners)) > 3 * MOST_TRIANGLES:
        return []
    box = np.concatenate(corners)
    thickness = _THICKNESS * float(np.linalg.norm(box.max(0) - box.min(0)))
    made = []
    for number in range(len(about["objects"])):
        parts = tuple(p for p, part in enumerate(about["parts"]) if part["object"] == number and len(corners[p]))
        if not parts:
            continue
        places, triangles = _welded(np.concatenate([corners[part] for part in parts]))
        places = places[:, [0, 2, 1]] * (1.0, -1.0, 1.0)  # (x, z, -y) of glTF back to Blender's axes
        uvs = np.concatenate(
            [np.array(file.uvs(part), np.float32).reshape(-1, 2)[shown[part]].reshape(-1) for part in parts]
        )
        slots = np.concatenate([np.full(len(corners[part]) // 3, place, np.int32) for place, part in enumerate(parts)])
        outside = places + thickness * _normals(places, triangles)
        made.append(Skin(number, parts, outside.astype(np.float32).reshape(-1), triangles.astype(np.int32), uvs, slots))
    return made


def _shown_corners(file: PaintedFile, number: int, part: Mapping[str, Any]) -> Any:
    """The corners of a part that the skin covers: all of them, or those of the triangles that change."""
    import numpy as np

    count = len(file.positions(number)) // 3
    if part.get("stays"):
        return np.zeros(0, np.int64)
    chosen = file.chosen(number)
    if chosen is None:
        return np.arange(count)
    changes = (np.array(chosen, np.float32).reshape(-1, 3) > 0.0).any(axis=1)
    return np.flatnonzero(np.repeat(changes, 3))


def _welded(corners: Any) -> tuple[Any, Any]:
    """Each place once, and the place's number for every corner."""
    import numpy as np

    rows = np.ascontiguousarray(corners + 0.0)  # -0.0 and 0.0 are one place
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * 3))).reshape(-1)
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    return rows[first].astype(np.float64), number.reshape(-1)


def _normals(places: Any, triangles: Any) -> Any:
    """The unit normal at every place, of the triangles around it by their area."""
    import numpy as np

    a, b, c = (places[triangles[corner::3]] for corner in range(3))
    turned = np.cross(b - a, c - a)
    normals = np.stack(
        [
            sum(np.bincount(triangles[corner::3], turned[:, axis], len(places)) for corner in range(3))
            for axis in range(3)
        ],
        axis=1,
    )
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
