"""Give a GLB back with some of its vertices elsewhere, and nothing else changed.

New arrays come after the old ones; every number of a vertex that does not move is copied bit for bit. Normals turn with
the surface, tangents with the normals.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.mesh.arrays import Bools, Doubles
from dreamfusion_engine.mesh.export import to_gltf_axes
from dreamfusion_engine.mesh.gltf.accessors import Accessors, Rows
from dreamfusion_engine.mesh.gltf.additions import Additions
from dreamfusion_engine.mesh.gltf.container import Unusable
from dreamfusion_engine.mesh.gltf.corners import DRACO, attributes_of, compressed, corners_of
from dreamfusion_engine.mesh.gltf.nodes import placed_meshes
from dreamfusion_engine.mesh.gltf.read import FLIPPED, GltfFile, unusable

_FLAT = 1e-9  # smallest over largest stretch of a transform that cannot be undone
_WIDTHS = {"POSITION": 3, "NORMAL": 3, "TANGENT": 4}


@dataclass(frozen=True, kw_only=True)
class MovedPrimitive:
    """Where the corners of a primitive's triangles are now.

    primitive: int, index into the file's primitives.
    vertices: float[T, 3, 3], of every corner, in the scene, Z up.
    moves: bool[T, 3], the corners that moved.
    normals: float[T, 3, 3], unit length, likewise.
    turns: bool[T, 3], the corners whose normal turned; counts only where the file has normals.
    """

    primitive: int
    vertices: NDArray[np.floating]
    moves: Bools
    normals: NDArray[np.floating]
    turns: Bools


def check_movable(file: GltfFile, primitives: Sequence[int]) -> None:
    """Raise InputError paint.part for a primitive whose vertices cannot be written back bit for bit.

    file: GltfFile.
    primitives: int, indices into its primitives.
    """
    accessors = Accessors(file.document, file.binary)
    worlds = _worlds(file)
    for number in primitives:
        found = file.primitives[number]
        attributes = attributes_of(file.document["meshes"][found.mesh]["primitives"][found.primitive])
        stretch = np.linalg.svd(worlds[found.node][:3, :3], compute_uv=False)
        if not stretch[-1] > _FLAT * stretch[0]:
            raise _refused(
                found.name,
                "Its node scales it to nothing along an axis, so no move can be carried back.",
                "Apply the object's scale, and export again.",
            )
        stored = {name: accessors.get(attributes[name]) for name in _WIDTHS if name in attributes}
        if any(each.component.kind != "f" for each in stored.values()):
            raise _refused(
                found.name,
                "Its vertices or normals are whole numbers (KHR_mesh_quantization), which are too coarse for a move.",
                "Export it without quantization or compression.",
            )


def with_moved_vertices(file: GltfFile, moved: Sequence[MovedPrimitive]) -> bytes:
    """Return the GLB with vertices moved. The same arguments give the same bytes.

    file: GltfFile in which no other node uses the mesh of a primitive that moves, as `with_textures` leaves it.
    moved: MovedPrimitives that `check_movable` let through.
    Raises InputError input.mesh where the result would be larger than a GLB can be.
    """
    additions = Additions(file.document, file.binary)
    accessors, worlds = Accessors(file.document, file.binary), _worlds(file)
    meshes: dict[int, dict[str, Any]] = {}
    try:
        for each in moved:
            found = file.primitives[each.primitive]
            if found.mesh not in meshes:
                meshes[found.mesh] = copy.deepcopy(file.document["meshes"][found.mesh])
            entry = meshes[found.mesh]["primitives"][found.primitive]
            rows = corners_of(entry, accessors)
            _move(entry, each, rows[:, FLIPPED] if found.mirrored else rows, worlds[found.node], accessors, additions)
        for number, mesh in meshes.items():
            additions.replace("meshes", number, mesh)
        return additions.glb(file.rest)
    except Unusable as error:
        raise unusable(error) from error


def _move(
    entry: dict[str, Any],
    moved: MovedPrimitive,
    rows: Rows,
    world: Doubles,
    accessors: Accessors,
    additions: Additions,
) -> None:
    """Give one primitive its vertices. rows: int64[T, 3], the file's vertex at each corner."""
    attributes, linear = entry["attributes"], world[:3, :3]
    places = to_gltf_axes(moved.vertices[moved.moves].astype(np.float64)).astype(np.float64)
    local: Doubles = np.asarray(np.linalg.solve(linear, (places - world[:3, 3]).T).T, np.float64)
    attributes["POSITION"] = _replaced(attributes["POSITION"], rows[moved.moves], local, accessors, additions)
    if "NORMAL" in attributes and moved.turns.any():
        turned = _unit(to_gltf_axes(moved.normals[moved.turns]).astype(np.float64) @ linear)
        at = rows[moved.turns]
        attributes["NORMAL"] = _replaced(attributes["NORMAL"], at, turned, accessors, additions)
        if "TANGENT" in attributes:
            old = accessors.get(attributes["TANGENT"]).components_of(at).astype(np.float64)
            along = old[:, :3] - (old[:, :3] * turned).sum(1, keepdims=True) * turned
            new = np.concatenate([_unit(along), old[:, 3:]], 1)
            attributes["TANGENT"] = _replaced(attributes["TANGENT"], at, new, accessors, additions)
    if compressed(entry):
        entry["extensions"] = {name: said for name, said in entry["extensions"].items() if name != DRACO}


def _replaced(
    accessor: int, rows: NDArray[np.int64], values: Doubles, accessors: Accessors, additions: Additions
) -> int:
    """A new accessor: another one with some rows changed."""
    source = accessors.get(accessor)
    additions.check_room(source.count * source.rows.shape[1])
    table = source.components_of(np.arange(source.count)).copy()
    table[rows] = values.astype(np.float32)
    description: dict[str, Any] = {"componentType": 5126, "type": source.element_type}
    low, high = table.min(0), table.max(0)
    if np.isfinite(low).all() and np.isfinite(high).all():
        description |= {"min": low.tolist(), "max": high.tolist()}
    return additions.array(np.ascontiguousarray(table).view(np.uint8).reshape(source.count, -1), description)


def _worlds(file: GltfFile) -> dict[int, Doubles]:
    return {placed.node: placed.world for placed in placed_meshes(file.document)}


def _unit(vectors: Doubles) -> Doubles:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30))


def _refused(name: str, why: str, fix: str) -> InputError:
    return InputError("paint.part", what=f"The shape of '{name}' cannot be changed.", why=why, fix=fix)
