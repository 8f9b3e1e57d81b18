"""Count what differs outside a part that was changed: read back from the file that is given away, not assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamfusion_engine.mesh.arrays import Bools
from dreamfusion_engine.mesh.gltf.read import GltfFile, read_gltf
from dreamfusion_engine.paint.part.layer import PartLayer
from dreamfusion_engine.paint.part.pictures import own_picture


@dataclass(frozen=True)
class FreeCorners:
    """The corners of a primitive's triangles that need not be what they were.

    moves: bool[T, 3], those whose vertex may be elsewhere.
    turns: bool[T, 3], those whose normal may be another.
    """

    moves: Bools
    turns: Bools


def changed_outside(
    before: GltfFile,
    after: bytes,
    layers: Sequence[PartLayer],
    may_differ: Mapping[int, Bools],
    free: Mapping[int, FreeCorners] | None = None,
) -> int:
    """Return how many texels, vertices, normals and UVs differ that should not; 0 is right.

    Both files are read anew, and their pictures decoded. UVs that the mesh did not have count as no difference.

    before: GltfFile that was given.
    after: bytes of the GLB that comes out.
    layers: PartLayer of each part that changed.
    may_differ: by the number of a part, its texels that may differ, bool[H, W].
    free: by the number of a part, its corners that may differ; None: no vertex may.
    """
    file = read_gltf(after)
    wrong = 0
    for number, (old, new) in enumerate(zip(before.primitives, file.primitives, strict=True)):
        if old.triangles.shape != new.triangles.shape:
            wrong += old.triangles.size
            continue
        moves, turns = _stay(number, old.triangles.shape, free or {})
        wrong += _differences(old.vertices[old.triangles][moves], new.vertices[new.triangles][moves])
        if old.normals is not None and new.normals is not None:
            wrong += _differences(old.normals[old.triangles][turns], new.normals[new.triangles][turns])
        wrong += int((old.normals is None) != (new.normals is None))
    changed = {layer.number: layer for layer in layers}
    for number, (old, new) in enumerate(zip(before.primitives, file.primitives, strict=True)):
        if old.uv is not None and new.uv is not None and (number not in changed or not changed[number].own.flat):
            wrong += _differences(old.uv, new.uv)
        if number in changed:
            pixels = own_picture(file, number).pixels
            wrong += int(((pixels != changed[number].before).any(-1) & ~may_differ[number]).sum())
        else:
            materials = [_material(each, number) for each in (before, file)]
            wrong += int(materials[0] != materials[1])
    return wrong


def _stay(number: int, shape: tuple[int, ...], free: Mapping[int, FreeCorners]) -> tuple[Bools, Bools]:
    """The corners whose vertex must be what it was, and those whose normal must."""
    if number not in free:
        return np.ones(shape, bool), np.ones(shape, bool)
    return ~free[number].moves, ~free[number].turns


def _material(file: GltfFile, number: int) -> object:
    found = file.primitives[number]
    return file.document["meshes"][found.mesh]["primitives"][found.primitive].get("material")


def _differences(first: NDArray[np.generic], second: NDArray[np.generic]) -> int:
    """How many numbers differ in a bit; all of them where the shapes do."""
    if first.shape != second.shape:
        return first.size
    return int((np.ascontiguousarray(first).view(np.uint32) != np.ascontiguousarray(second).view(np.uint32)).sum())
