"""A result that arrives while the artist is in another mode."""

import sys
from pathlib import Path

import addon
import bpy

result, job = addon.part("ui.scene.insert"), addon.part("core.job")
bpy.ops.mesh.primitive_cube_add()
cube = bpy.context.active_object
said = {}
for mode in ("EDIT", "SCULPT", "VERTEX_PAINT"):
    bpy.ops.object.mode_set(mode=mode)
    was = bpy.context.mode
    obj = result.insert(bpy.context, Path(sys.argv[1]), job.Recipe("a mug"), {})
    said[mode] = [
        bpy.context.mode == was,
        bpy.context.view_layer.objects.active == cube,
        cube.select_get(),
        obj.select_get(),
    ]
    bpy.ops.object.mode_set(mode="OBJECT")
addon.tell(said=said, names=[obj.name for obj in bpy.data.objects])
