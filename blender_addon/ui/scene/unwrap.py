"""New UVs by Blender's own Smart UV Project: of an object, or of a copy, so that an artist's mesh stays as it is."""

from __future__ import annotations

import math
from array import array

import bpy
from bpy.types import Context, Mesh, Object

from .insert import show_in_local_views

_CLIFF = math.radians(66.0)  # faces that turn by more begin a new chart; Blender's own default
_MARGIN = 0.004  # between charts, of the texture's width
_NAME = "DreamFusion Unwrap"


def unwrap(context: Context, obj: Object) -> None:
    """Give the object fresh UVs without overlaps. It must be active and the only selected object."""
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        bpy.ops.mesh.reveal(select=False)  # faces that are hidden would get none
        bpy.ops.mesh.select_all(action="SELECT")
        # It packs the charts too. Packing them once more can take Blender half a minute on a busy machine.
        bpy.ops.uv.smart_project(angle_limit=_CLIFF, island_margin=_MARGIN)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")


def fresh_uvs(context: Context, mesh: Mesh) -> array[float]:
    """Fresh UVs for a mesh, which is not changed: 2 numbers a corner, in the order of its corners.

    The context must be in Object Mode. Selection and active object are afterwards as they were.
    """
    active = context.view_layer.objects.active
    selected = [obj for obj in context.view_layer.objects if obj.select_get()]
    copy = mesh.copy()
    stand_in = bpy.data.objects.new(_NAME, copy)
    try:
        while copy.uv_layers:
            copy.uv_layers.remove(copy.uv_layers[0])
        copy.uv_layers.active = copy.uv_layers.new(name=_NAME)
        context.scene.collection.objects.link(stand_in)
        show_in_local_views(context, stand_in)
        for obj in selected:
            obj.select_set(False)
        stand_in.select_set(True)
        context.view_layer.objects.active = stand_in
        unwrap(context, stand_in)
        return layer_uvs(copy, copy.uv_layers[0])
    finally:
        bpy.data.objects.remove(stand_in)
        bpy.data.meshes.remove(copy)
        for obj in selected:
            obj.select_set(True)
        context.view_layer.objects.active = active


def layer_uvs(mesh: Mesh, layer: object) -> array[float]:
    """The UVs of a layer, 2 numbers a corner."""
    values = array("f", bytes(8 * len(mesh.loops)))
    if hasattr(layer, "uv"):
        layer.uv.foreach_get("vector", values)
    else:
        layer.data.foreach_get("uv", values)  # type: ignore[attr-defined]
    return values
