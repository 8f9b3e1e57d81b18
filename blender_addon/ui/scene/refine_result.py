"""Puts a refined mesh in the place of the object's own, as one undo step; or beside it, where that would break it.

The old mesh stays in the file as long as Blender keeps what nobody uses.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import bpy
from bpy.types import Context, Material, Mesh, Object
from mathutils import Matrix, Vector

from ...core.engine import glb, node_transform
from ...core.engine.glb import GlbMesh
from ...core.file_name import file_name
from ...core.job import Recipe
from ...core.phrase import phrase
from . import insert, material, mesh_data, mesh_identity, moment, object_recipe, refine_source

_GAP = 1.25  # from the object to the new one beside it, in its width


def is_sound(about: Any) -> bool:
    """Whether this is what `refine_source.read` noted, as far as it is used."""
    if not isinstance(about, dict):
        return False
    noted, size = about.get("object"), about.get("stretch")
    if not isinstance(noted, dict) or not isinstance(size, list) or len(size) != 3:
        return False
    matrix = noted.get("matrix")
    numbers = [*size, *matrix] if isinstance(matrix, list) and len(matrix) == 16 else []
    texts = all(isinstance(noted.get(key), str) for key in ("name", "faces", "shape"))
    return texts and bool(numbers) and all(map(_is_number, numbers)) and all(value > 0.0 for value in size)


def put(
    context: Context,
    result: bytes,
    about: Mapping[str, Any],
    made_by: Recipe,
    job_id: str,
    *,
    same_session: bool,
    verdict: Sequence[str] = (),
) -> str:
    """Give the object its refined mesh, or add that as a new object beside it, as one undo step.

    result: bytes, the GLB that came back.
    about: what `refine_source.read` noted.
    made_by: Recipe of the job, for a new object.
    job_id: str, of the job, for a new object.
    same_session: bool, whether the file has been open since the object was read.
    verdict: sentences on the result to store on the object.
    Returns why it came beside the object, as a sentence; "" where it took the place of the object's mesh.
    Raises DamagedMesh, with nothing changed.
    """
    content = glb.read_glb(result)
    obj = mesh_identity.find(dict(about["object"]), same_session=same_session)
    why = _obstacle(obj, about["object"])
    shrink = Matrix.Diagonal((*(1.0 / value for value in about["stretch"]), 1.0))
    if obj is not None and not why:
        _replace(obj, content, shrink)
    else:
        obj = _beside(context, obj, content, about, made_by, job_id)
    object_recipe.write_verdict(obj, verdict)
    insert.push_undo(context, f"DreamFusion: Refine {obj.name}")
    return why


def _obstacle(obj: Object | None, noted: Mapping[str, Any]) -> str:
    """Why the object's mesh cannot be replaced, as a sentence; "" where it can."""
    name = noted["name"]
    if obj is None or not obj.users_scene:
        return phrase("'{name}' is gone, so the refined one is an object of its own.", name=name)
    if obj.library is not None or obj.data.library is not None or obj.override_library is not None:
        return phrase("'{name}' belongs to another file, so the refined one stands beside it.", name=name)
    if obj.mode != "OBJECT":
        return phrase("'{name}' is being edited, so the refined one stands beside it.", name=name)
    if len(obj.modifiers) or obj.data.shape_keys is not None:
        if len(obj.modifiers):
            return phrase(
                "'{name}' has modifiers, which the refined mesh would break, so it stands beside it.", name=name
            )
        return phrase("'{name}' has shape keys, which the refined mesh would break, so it stands beside it.", name=name)
    if refine_source.shape_mark(obj.data) != noted["shape"]:
        return phrase("'{name}' has changed meanwhile, so the refined one stands beside it.", name=name)
    return ""


def _replace(obj: Object, content: GlbMesh, shrink: Matrix) -> None:
    slot = obj.material_slots[0] if len(obj.material_slots) else None
    old = slot.material if slot is not None else None
    layer = refine_source.uv_layer_of(old)
    mesh = _mesh(obj.data.name, content, shrink, layer)
    mesh.materials.append(_material(old, obj.name, content))
    obj.data = mesh
    for place in obj.material_slots:  # one that is the object's own would hide the mesh's
        place.link = "DATA"


def _beside(
    context: Context, obj: Object | None, content: GlbMesh, about: Mapping[str, Any], made_by: Recipe, job_id: str
) -> Object:
    """A new object to the right of the old one, or where that stood if it is gone."""
    numbers = [float(value) for value in about["object"]["matrix"]]
    matrix = Matrix([numbers[4 * row : 4 * row + 4] for row in range(4)])
    name = f"{insert.name_of(made_by.prompt)} Refined"
    made = bpy.data.objects.new(name, _mesh(file_name(name), content, Matrix.Identity(4), ""))
    made.data.materials.append(_material(None, name, content))
    location, rotation, _ = matrix.decompose()
    across = Vector((_GAP * obj.dimensions.x, 0.0, 0.0)) if obj is not None else Vector()
    made.matrix_world = Matrix.Translation(location + across) @ rotation.to_matrix().to_4x4()
    context.scene.collection.objects.link(made)
    object_recipe.write(made, made_by, job_id)
    insert.show_in_local_views(context, made)
    if not moment.in_other_mode(context):
        insert.select_only(context, made)
    return made


def _mesh(name: str, content: GlbMesh, matrix: Matrix, layer: str) -> Mesh:
    rows = tuple(value for row in matrix for value in row)
    positions: array[float] = node_transform.transformed(content.positions, rows)
    mesh = mesh_data.build(name, positions, content.triangles)
    if content.uvs:
        mesh_data.set_uvs(mesh, content.uvs, layer or mesh_data.UV_NAME)
    mesh.validate()
    return mesh


def _material(old: Material | None, name: str, content: GlbMesh) -> Material:
    """A copy of the object's material with the new image at its base colour; a new one where it has none."""
    if material.surface_node(old) is None or not content.image:
        return material.textured(name, content.image, content.roughness, content.colour)
    assert old is not None
    made = old.copy()
    image = material.packed_image(f"{name} refined", content.image)
    material.connect_image(made, image)
    made.diffuse_color = (*material.mean_colour(image), 1.0)
    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e9 <= value <= 1e9
