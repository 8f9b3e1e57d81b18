"""Decimate: the same object with fewer triangles; its UVs and texture stay."""

from __future__ import annotations

import bpy
from bpy.types import Context, Object

_NAME = "DreamFusion Decimate"


def triangles(obj: Object) -> int:
    """The number of triangles that the object's faces make."""
    return len(obj.data.loops) - 2 * len(obj.data.polygons)


def reduce(context: Context, obj: Object, share: float) -> int:
    """Replace the object's mesh by one with fewer triangles. Returns their number.

    share: float, in (0, 1], the share of triangles to keep.

    The object's own modifiers stay as they are and are not applied.
    """
    modifiers = [(modifier, modifier.show_viewport) for modifier in obj.modifiers]
    for modifier, _ in modifiers:
        modifier.show_viewport = False
    collapse = obj.modifiers.new(_NAME, "DECIMATE")
    try:
        collapse.decimate_type = "COLLAPSE"
        collapse.ratio = share
        graph = context.evaluated_depsgraph_get()
        mesh = bpy.data.meshes.new_from_object(obj.evaluated_get(graph), preserve_all_data_layers=True, depsgraph=graph)
    finally:
        obj.modifiers.remove(collapse)
        for modifier, shown in modifiers:
            modifier.show_viewport = shown
    old, name = obj.data, obj.data.name
    obj.data = mesh
    if old.users == 0:
        bpy.data.meshes.remove(old)
        mesh.name = name
    return triangles(obj)
