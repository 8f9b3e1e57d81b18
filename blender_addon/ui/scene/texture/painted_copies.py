"""Painted meshes as objects of their own, for textures whose own objects are gone."""

from __future__ import annotations

import bpy
from bpy.types import Context, Object

from ....core.engine import glb
from ....core.file_name import file_name
from ....core.job import Recipe
from .. import insert, material, mesh_data, moment


def insert_copies(context: Context, result: bytes, made_by: Recipe) -> list[Object]:
    """Make an object of each painted part, where the painted ones stood, as one undo step. They are selected.

    result: bytes, the GLB that came back.
    made_by: Recipe, for names.
    Raises DamagedMesh, with nothing made.
    """
    made = []
    for part in glb.read_parts(result):
        name = part.name or insert.name_of(made_by.prompt)
        mesh = mesh_data.build(file_name(name), part.positions, part.triangles)
        if part.uvs:
            mesh_data.set_uvs(mesh, part.uvs)
        mesh.validate()
        mesh.materials.append(material.textured(name, part.image, part.roughness, part.colour))
        made.append(bpy.data.objects.new(name, mesh))
    for obj in made:
        context.scene.collection.objects.link(obj)
        insert.show_in_local_views(context, obj)
    if made and not moment.in_other_mode(context):
        insert.select_only(context, made[0])
        for obj in made:
            obj.select_set(True)
    insert.push_undo(context, f"DreamFusion: {insert.name_of(made_by.prompt)}")
    return made
