"""Reads the objects that an artist wants painted, as they look: modifiers, pose and shape keys included.

Nothing is changed. Every object becomes one part for each of its materials, and for each UDIM tile of one. A part's
triangles are in the order of Blender's own, its corners in the order of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bpy.types import Context, Mesh, Object

from ....core.engine.mesh_file import MeshPart, file_size, mesh_file
from ....core.job import EngineTrouble
from ....core.phrase import phrase
from ....core.protocol import DATA_LIMIT
from .. import mesh_identity, reshape, unwrap
from . import paintable, part_colours
from .paintable import refused

MOST_TRIANGLES = 5_000_000
MOST_PARTS = 64
_FARTHEST = 1e6  # Blender units; beyond that 32-bit floats are too coarse
_FIRST_TILE = 1001
_TILES_A_ROW, _ROWS = 10, 100
_OVER = 1e-3  # how far a UV may lie outside of its tile


@dataclass(frozen=True)
class Surfaces:
    """What is painted.

    file: bytes, the GLB for the engine.
    about: plain JSON, what `repaint` needs to find everything again.
    triangles: int, their number.
    """

    file: bytes
    about: dict[str, Any]
    triangles: int


@dataclass
class _Reading:
    parts: list[MeshPart] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)  # of every part
    objects: list[dict[str, Any]] = field(default_factory=list)
    part: bool = False  # whether only what is marked changes
    shape: bool = False  # whether vertices move
    kept: list[bytes | None] = field(default_factory=list)  # new UVs of every object
    triangles: int = 0


def read(
    context: Context, objects: Sequence[Object], *, new_uvs: bool, part: bool = False, shape: bool = False
) -> Surfaces:
    """Read mesh objects. The context must be in Object Mode.

    objects: those to paint, as `paintable.chosen` gives them.
    new_uvs: bool, make new UVs instead of those of the active layers.
    part: bool, only what `part.marked` says changes, and the present colours are read too.
    shape: bool, the vertices of that part are to move.
    Raises EngineTrouble where they cannot be painted as they are.
    """
    for obj in objects:
        if not len(obj.data.polygons):
            raise _no_faces(obj)
    fresh = {obj.name: _fresh(context, obj) for obj in objects if new_uvs or not obj.data.uv_layers}
    depsgraph = context.evaluated_depsgraph_get()
    paintable.refuse_instances(depsgraph, objects)
    reading = _Reading(part=part, shape=shape)
    for obj in objects:
        evaluated = obj.evaluated_get(depsgraph)
        mesh = evaluated.to_mesh(preserve_all_data_layers=True, depsgraph=depsgraph)
        try:
            _read_object(reading, obj, mesh, fresh.get(obj.name))
        finally:
            evaluated.to_mesh_clear()
    if file_size(reading.parts, reading.kept) > DATA_LIMIT - (1 << 24):
        raise _too_many(
            phrase(
                "Their file would have {size:,} MiB; 496 can be sent.",
                size=file_size(reading.parts, reading.kept) >> 20,
            )
        )
    about = {"objects": reading.objects, "parts": reading.told}
    return Surfaces(mesh_file(reading.parts, reading.kept), about, reading.triangles)


def _read_object(reading: _Reading, obj: Object, mesh: Mesh, fresh: Any) -> None:
    import numpy as np

    count = len(mesh.loops) - 2 * len(mesh.polygons)
    if len(mesh.polygons) == 0 or count < 1:
        raise _no_faces(obj)
    reading.triangles += count
    if reading.triangles > MOST_TRIANGLES:
        raise _too_many(
            phrase(
                "They have {triangles:,} triangles or more; {most:,} can be painted.",
                triangles=reading.triangles,
                most=MOST_TRIANGLES,
            )
        )
    if reading.shape:
        reshape.refuse(obj, mesh)
    mesh.calc_loop_triangles()
    corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
    slots = np.empty(len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("loops", corners)
    mesh.loop_triangles.foreach_get("material_index", slots)
    slots = np.clip(slots, 0, max(0, len(obj.material_slots) - 1))
    paintable.refuse_foreign_materials(obj, mesh, np.unique(slots).tolist())
    matrix = np.array(obj.matrix_world, np.float64)
    mirrored = bool(np.linalg.det(matrix[:3, :3]) < 0.0)
    positions, normals = _world(obj, mesh, matrix)
    change = part_colours.read(obj, mesh, corners.reshape(-1, 3), slots) if reading.part else None
    uvs, layer, kept = _uvs(obj, mesh, fresh, change.layer if change is not None else None)
    number = len(reading.objects)
    told = mesh_identity.told(obj) | {"layer": layer, "new": fresh is not None}
    reading.objects.append(told | ({reshape.SHAPE: reshape.mark(obj.data)} if reading.shape else {}))
    reading.kept.append(kept)
    for slot in np.unique(slots).tolist():
        chosen = np.flatnonzero(slots == slot)
        tiles = [(0, chosen)] if change is not None else _tiles(uvs[corners.reshape(-1, 3)[chosen]], chosen)
        for tile, those in tiles:
            loops = corners.reshape(-1, 3)[those]
            if mirrored:  # it turns the triangles inside out
                loops = loops[:, [0, 2, 1]]
            loops = loops.reshape(-1)
            part = _part(obj, slot, tile, positions[loops], normals[loops], uvs[loops])
            reading.parts.append(part if change is None else change.on(part, slot, loops))
            inside = bool((uvs[loops] >= 0.0).all() and (uvs[loops] <= 1.0).all())
            where = {"object": number, "slot": slot, "tile": tile, "repeats": not (tile or inside)}
            reading.told.append(where if change is None else {**where, "stays": slot not in change.changing})
    if len(reading.parts) > MOST_PARTS:
        raise refused(
            "parts",
            phrase("The selected objects would need more than {most} textures.", most=MOST_PARTS),
            phrase("Every material of every object gets one, and every UDIM tile."),
            phrase("Select fewer objects at once."),
        )


def _world(obj: Object, mesh: Mesh, matrix: Any) -> tuple[Any, Any]:
    """Place and normal of every corner in the world, float32[L, 3]."""
    import numpy as np

    places = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", places)
    if not np.isfinite(places).all():
        raise refused(
            "not_finite",
            phrase("'{name}' has vertices that are nowhere.", name=obj.name),
            phrase("Some of their coordinates are no numbers."),
            phrase(
                "Edit Mode, select all, Mesh > Clean Up > Delete Loose and Merge by Distance; or undo what broke them."
            ),
        )
    world = places.reshape(-1, 3).astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    if not (np.isfinite(world).all() and (np.abs(world) <= _FARTHEST).all()):
        raise refused(
            "far",
            phrase("'{name}' is too far away.", name=obj.name),
            phrase("Some of it is more than {most:,.0f} units from the middle of the world.", most=_FARTHEST),
            phrase("Move it nearer."),
        )
    vertex = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", vertex)
    normals = np.empty(3 * len(mesh.loops), np.float32)
    if hasattr(mesh, "corner_normals"):
        mesh.corner_normals.foreach_get("vector", normals)
    else:  # before 4.1
        mesh.calc_normals_split()
        mesh.loops.foreach_get("normal", normals)
    a, b, c = matrix[:3, 0], matrix[:3, 1], matrix[:3, 2]
    # Normals turn by the matrix's cofactors, which even a flat object has; a mirror turns them once more.
    cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
    sign = -1.0 if np.linalg.det(matrix[:3, :3]) < 0.0 else 1.0
    turned = sign * (normals.reshape(-1, 3).astype(np.float64) @ cofactors.T)
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    turned = np.where(length > 0.0, turned / np.maximum(length, 1e-30), (0.0, 0.0, 1.0))
    return world.astype(np.float32)[vertex], turned.astype(np.float32)


def _uvs(obj: Object, mesh: Mesh, fresh: Any, wanted: str | None) -> tuple[Any, str, bytes | None]:
    """UV of every corner of what is seen, float32[L, 2], v up; the layer's name; new UVs of the base mesh's corners.

    wanted: str, the layer to use; None or '' for the active one.
    """
    import numpy as np

    if fresh is not None:
        if not mesh_identity.same_corners(obj.data, mesh):
            raise refused(
                "modified",
                phrase("'{name}' cannot get new UVs while a modifier makes other faces of its own.", name=obj.name),
                phrase("New UVs belong to the mesh's own faces, and what you see has others."),
                phrase(
                    "Unwrap it first (Edit Mode, UV > Smart UV Project) and choose Keep UVs. Or apply the modifier."
                ),
            )
        values = np.array(fresh, np.float32)
        return values.reshape(-1, 2), "", values.astype("<f4").tobytes()
    name = wanted or (obj.data.uv_layers.active or obj.data.uv_layers[0]).name
    layer = mesh.uv_layers.get(name)
    if layer is None:
        raise refused(
            "no_layer",
            phrase(
                "The UV layer '{layer}' of '{name}' does not come through its modifiers.", layer=name, name=obj.name
            ),
            phrase("What you see has no such layer, so no texture can lie on it."),
            phrase("Apply the modifiers, or choose another UV layer as the active one."),
        )
    values = np.array(unwrap.layer_uvs(mesh, layer), np.float32)
    if not (np.isfinite(values).all() and (np.abs(values) <= _FARTHEST).all()):
        raise refused(
            "uv_not_finite",
            phrase("The UV layer '{layer}' of '{name}' is damaged.", layer=name, name=obj.name),
            phrase("Some of its coordinates are no numbers."),
            phrase("Unwrap it again, or choose New UVs."),
        )
    return values.reshape(-1, 2), name, None


def _tiles(uvs: Any, those: Any) -> list[tuple[int, Any]]:
    """Triangles by their UDIM tile, or all with tile 0 where the UVs are not laid out in tiles.

    uvs: float32[T, 3, 2], of the triangles.
    those: int[T], the triangles' numbers.
    """
    import numpy as np

    corner = np.floor(uvs.mean(axis=1, dtype=np.float64)).astype(np.int64)
    inside = uvs - corner[:, None, :]
    tiles = _FIRST_TILE + corner[:, 0] + _TILES_A_ROW * corner[:, 1]
    found = np.unique(tiles).tolist()
    proper = ((corner >= 0) & (corner < (_TILES_A_ROW, _ROWS))).all()
    apart = ((inside >= -_OVER) & (inside <= 1.0 + _OVER)).all()
    if found == [_FIRST_TILE] or not (proper and apart):  # UVs that cross tiles repeat one texture
        return [(0, those)]
    return [(tile, those[tiles == tile]) for tile in found]


def _part(obj: Object, slot: int, tile: int, positions: Any, normals: Any, uvs: Any) -> MeshPart:
    import numpy as np

    places, turned = [_axes(values) for values in (positions, normals)]
    flat = uvs.astype(np.float64)
    if tile:
        row, column = divmod(tile - _FIRST_TILE, _TILES_A_ROW)
        flat = np.clip(flat - (column, row), 0.0, 1.0)
    flat[:, 1] = 1.0 - flat[:, 1]
    material = obj.material_slots[slot].material if slot < len(obj.material_slots) else None
    name = obj.name + (f".{material.name}" if material is not None else "") + (f".{tile}" if tile else "")
    return MeshPart(
        name=name,
        positions=places.tobytes(),
        normals=turned.tobytes(),
        uvs=flat.astype("<f4").tobytes(),
        low=places.min(0).tolist(),
        high=places.max(0).tolist(),
    )


def _axes(values: Any) -> Any:
    """(x, y, z) of Blender -> (x, z, -y) of glTF."""
    import numpy as np

    return np.stack([values[:, 0], values[:, 2], -values[:, 1]], axis=1).astype("<f4")


def _fresh(context: Context, obj: Object) -> Any:
    try:
        return unwrap.fresh_uvs(context, obj.data)
    except RuntimeError as error:  # how an operator's error arrives in Python
        raise refused(
            "unwrap",
            phrase("'{name}' could not be unwrapped.", name=obj.name),
            str(error).strip(),
            phrase("Unwrap it yourself (Edit Mode, UV > Smart UV Project) and choose Keep UVs."),
        ) from error


def _no_faces(obj: Object) -> EngineTrouble:
    return refused(
        "no_faces",
        phrase("'{name}' has no faces of its own.", name=obj.name),
        phrase("A texture lies on faces and their UVs, and those that only a modifier makes have none."),
        phrase("Apply its modifiers, or select another object."),
    )


def _too_many(why: str) -> EngineTrouble:
    fix = phrase("Decimate a copy and paint that, or select fewer objects.")
    return refused("too_many", phrase("The selected objects have too many faces."), why, fix)
