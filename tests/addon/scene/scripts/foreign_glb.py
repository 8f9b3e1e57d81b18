"""Export a scene by Blender's own glTF exporter, or import one and tell what each object shows.

Arguments: 'export' or 'import', and a file.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import addon
import addon_utils
import bpy

verb, path = sys.argv[1:3]


def cube(name: str, place: tuple[float, float, float], scale: tuple[float, float, float]) -> Any:
    """A cube with UVs."""
    bpy.ops.mesh.primitive_cube_add(location=place, rotation=(0.3, 0.2, 0.1))
    obj = bpy.context.object
    obj.name, obj.scale = name, scale
    return obj


def told(obj: Any) -> dict[str, Any]:
    """Every triangle of an object in the world, with its UVs, and the colour in the middle of its picture."""
    mesh, world = obj.data, obj.matrix_world
    mesh.calc_loop_triangles()
    layer = mesh.uv_layers.active
    corners = [
        [
            [*(world @ mesh.vertices[vertex].co), *layer.data[loop].uv]
            for vertex, loop in zip(t.vertices, t.loops, strict=True)
        ]
        for t in mesh.loop_triangles
    ]
    (material,) = mesh.materials
    images = [node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE"]
    return {
        "corners": corners,
        "colours": [list(image.pixels[:3]) for image in images],
        "modifiers": len(obj.modifiers),
    }


addon_utils.enable("io_scene_gltf2")
if verb == "export":
    first = cube("first", (1.0, 2.0, 3.0), (1.0, 2.0, 0.5))
    second = cube("second", (-2.0, 0.0, 1.0), (-1.0, 1.0, 1.0))
    second.data = first.data
    second.parent = first
    first.data.materials.append(bpy.data.materials.new("paint"))
    first.shape_key_add(name="Basis")
    first.shape_key_add(name="wide").data[0].co.x += 1.0
    bpy.context.view_layer.update()
    bpy.ops.export_scene.gltf(filepath=path, export_format="GLB")
else:
    bpy.ops.import_scene.gltf(filepath=path)
    bpy.context.view_layer.update()
meshes = [obj for obj in bpy.data.objects if obj.type == "MESH"]
if verb == "export":
    for obj in meshes:
        if not obj.data.materials[0].node_tree:
            obj.data.materials[0].use_nodes = True
addon.tell(**{obj.name: told(obj) for obj in meshes})
addon.tell(shape_keys={obj.name: len(obj.data.shape_keys.key_blocks) for obj in meshes if obj.data.shape_keys})
sys.stdout.flush()
os._exit(0)  # bpy 4.2 crashes at its end after its glTF importer
