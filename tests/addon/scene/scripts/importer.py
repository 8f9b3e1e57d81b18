"""Insert a GLB, import it by Blender's own importer too, and compare every corner."""

import sys
from pathlib import Path
from typing import Any

import addon
import addon_utils
import bpy
import scene_probe

result, job = addon.part("ui.scene.insert"), addon.part("core.job")
ours = result.insert(bpy.context, Path(sys.argv[1]), job.Recipe("x"), {"size": 1.0})
addon_utils.enable("io_scene_gltf2")
bpy.ops.import_scene.gltf(filepath=sys.argv[1], merge_vertices=True)
theirs = bpy.context.active_object
bpy.context.view_layer.update()


def corner_table(obj: Any) -> list[tuple[float, ...]]:
    """Place and UV of every corner, sorted."""
    positions, vertices, uvs = scene_probe.corners(obj.data)
    points = [obj.matrix_world @ vertex.co for vertex in obj.data.vertices]
    return sorted(
        tuple(round(value, 4) for value in (*points[v], uvs[2 * i], uvs[2 * i + 1])) for i, v in enumerate(vertices)
    )


a, b = corner_table(ours), corner_table(theirs)
worst = max(abs(p - q) for one, other in zip(a, b, strict=True) for p, q in zip(one, other, strict=True))
addon.tell(ours=len(a), theirs=len(b), worst=worst, one=scene_probe.colour_error(ours))
