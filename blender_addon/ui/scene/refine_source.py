"""Reads a finished object that is to be refined, as it looks: its shape with modifiers, its materials' colours.

The file has it in its own axes, at the size that it has in the scene. So its own front stays the front however it is
turned, and what comes back can take the place of its mesh.
"""

from __future__ import annotations

import hashlib
from array import array
from itertools import chain
from math import isfinite
from operator import itemgetter, neg
from typing import Any

from bpy.types import Context, Image, Material, Mesh, Object
from mathutils import Matrix, Vector

from ...core.engine import glb
from ...core.engine.mesh_file import MeshPart, mesh_file
from ...core.engine.payload import are_near
from ...core.job import EngineTrouble, Trouble
from ...core.phrase import phrase
from . import material, mesh_identity, picture_file, unwrap

MOST_TRIANGLES = 500_000  # as the engine
_LEAST = 1e-9  # of a scale


def obstacle(obj: Object) -> str:
    """Why an object cannot be refined, as far as a glance tells; "" if it can. Cheap."""
    if not len(obj.data.polygons) and not len(obj.modifiers):
        return phrase("The object has no faces")
    if len(obj.data.polygons) > MOST_TRIANGLES:
        return phrase("The object has more than {most:,} faces. Decimate it first", most=MOST_TRIANGLES)
    if any(image.source == "TILED" for image in map(_image, _materials(obj)) if image is not None):
        return phrase("The object has UDIM tiles, and what comes back has one texture. Bake them into one image first")
    return ""


def read(context: Context, obj: Object) -> tuple[bytes, dict[str, Any]]:
    """The GLB of an object, a part for each of its materials, and what `refine_result` needs to find the object again.

    The context must be in Object Mode.
    Raises EngineTrouble where it cannot be refined as it is.
    """
    why = obstacle(obj)
    if why:
        raise _refused(
            "not_now",
            phrase("'{name}' cannot be refined.", name=obj.name),
            phrase("{why}.", why=why),
            phrase("Then press Refine again."),
        )
    depsgraph = context.evaluated_depsgraph_get()
    evaluated = obj.evaluated_get(depsgraph)
    size = stretch(evaluated)
    mesh = evaluated.to_mesh(preserve_all_data_layers=True, depsgraph=depsgraph)
    try:
        parts = _parts(obj, mesh, size)
    finally:
        evaluated.to_mesh_clear()
    about = {
        "object": mesh_identity.told(obj) | {"shape": shape_mark(obj.data)},
        "stretch": list(size),
    }
    return mesh_file(parts), about


def stretch(obj: Object) -> Vector:
    """The object's scale in the world, which is in the file. A side without a length counts as 1."""
    return Vector([abs(value) if abs(value) > _LEAST else 1.0 for value in obj.matrix_world.to_scale()])


def shape_mark(mesh: Mesh) -> str:
    """A short text that tells one mesh's vertices and faces from another's."""
    places = array("f", bytes(12 * len(mesh.vertices)))
    mesh.vertices.foreach_get("co", places)
    return hashlib.sha256(mesh_identity.faces_mark(mesh).encode() + places.tobytes()).hexdigest()[:32]


def uv_layer_of(made: Material | None) -> str:
    """The name of the UV layer on which a material's base colour lies, where it names one; else ""."""
    tree = made.node_tree if made is not None else None
    nodes = tree.nodes if tree is not None else ()
    return next((str(node.uv_map) for node in nodes if node.type == "UVMAP" and node.outputs["UV"].links), "")


def _materials(obj: Object) -> list[Material | None]:
    return [slot.material for slot in obj.material_slots]


def _image(made: Material | None) -> Image | None:
    """The image at the base colour of a material; None where there is none."""
    found: Any = material.surface_node(made)
    socket = None if found is None else material.base_socket(found)
    source = socket.links[0].from_node if socket is not None and socket.links else None
    return source.image if source is not None and source.type == "TEX_IMAGE" else None


def _colour(made: Material | None) -> tuple[float, ...]:
    """The plain base colour of a material, linear; grey where there is none."""
    found: Any = material.surface_node(made)
    return tuple(material.base_socket(found).default_value)[:3] if found is not None else (0.6, 0.6, 0.6)


def _parts(obj: Object, mesh: Mesh, size: Vector) -> list[MeshPart]:
    count = len(mesh.loops) - 2 * len(mesh.polygons)
    if not len(mesh.polygons) or count < 1:
        raise _refused(
            "no_faces",
            phrase("'{name}' has no faces.", name=obj.name),
            phrase("There is nothing to refine."),
            phrase("Give it faces."),
        )
    if count > MOST_TRIANGLES:
        raise _refused(
            "too_many",
            phrase("'{name}' has too many faces.", name=obj.name),
            phrase("It has {count:,} triangles; {most:,} can be refined.", count=count, most=MOST_TRIANGLES),
            phrase("Press Decimate first."),
        )
    mesh.transform(Matrix.Diagonal((*size, 1.0)))
    mesh.calc_loop_triangles()
    places = array("f", bytes(12 * len(mesh.vertices)))
    mesh.vertices.foreach_get("co", places)
    if not isfinite(sum(places)) or not are_near(places):
        raise _refused(
            "not_finite",
            phrase("'{name}' has vertices that are nowhere.", name=obj.name),
            phrase("Some of their coordinates are no numbers, or far away."),
            phrase(
                "Edit Mode, select all, Mesh > Clean Up > Delete Loose and Merge by Distance; or undo what broke them."
            ),
        )
    vertices, loops = array("i", bytes(12 * count)), array("i", bytes(12 * count))
    mesh.loop_triangles.foreach_get("vertices", vertices)
    mesh.loop_triangles.foreach_get("loops", loops)
    slots = array("i", bytes(4 * count))
    mesh.loop_triangles.foreach_get("material_index", slots)
    points = list(zip(places[0::3], places[2::3], map(neg, places[1::3]), strict=True))  # Y up, front +Z
    found = _materials(obj)
    parts = []
    for slot in sorted(set(slots)):
        used = [number for number, each in enumerate(slots) if each == slot]
        corners = [corner for number in used for corner in range(3 * number, 3 * number + 3)]
        made = found[min(slot, len(found) - 1)] if found else None
        picture, uvs = _colours(mesh, made, [loops[corner] for corner in corners])
        positions = array("f", chain.from_iterable(points[vertices[corner]] for corner in corners))
        low, high = glb.bounds(positions)
        colour = (1.0, 1.0, 1.0) if picture else _colour(made)
        name = obj.name if made is None else f"{obj.name}.{made.name}"
        data = positions.tobytes()
        parts.append(MeshPart(name, data, b"", uvs, low, high, picture=picture, colour=colour))
    return parts


def _colours(mesh: Mesh, made: Material | None, loops: list[int]) -> tuple[bytes, bytes]:
    """The picture of a material, and UVs v down of some corners; each b"" where there is none."""
    layers = mesh.uv_layers
    layer = layers.get(uv_layer_of(made)) or next((each for each in layers if each.active_render), None)
    if layer is None:
        return b"", b""
    values = unwrap.layer_uvs(mesh, layer)
    if not are_near(values):
        return b"", b""
    image = _image(made)
    pick = itemgetter(*loops)
    uvs = array("f", bytes(8 * len(loops)))
    uvs[0::2] = array("f", pick(values[0::2]))
    uvs[1::2] = array("f", [1.0 - value for value in pick(values[1::2])])
    return picture_file.picture_file(image) if image is not None else b"", uvs.tobytes()


def _refused(code: str, what: str, why: str, fix: str) -> EngineTrouble:
    return EngineTrouble(Trouble(f"refine.{code}", what, why, fix))
