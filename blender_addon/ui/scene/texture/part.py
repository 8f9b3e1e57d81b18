"""The part of an artist's objects that is to change: faces selected in Edit Mode, or the active vertex group.

An attribute carries the selection through modifiers. It is on the mesh only while that is read.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import bpy
from bpy.types import Context, Mesh, Object

from ....core.job import EngineTrouble
from ....core.phrase import phrase
from . import paintable
from .paintable import refused

NAME = "dreamfusion_part"  # of the attribute


def chosen(context: Context) -> list[Object]:
    """The objects of which a part may change: those in Edit Mode, else the active one with a vertex group."""
    if context.mode == "EDIT_MESH":
        return sorted((obj for obj in context.objects_in_mode if obj.type == "MESH"), key=lambda obj: str(obj.name))
    obj = context.active_object
    has_group = obj is not None and obj.type == "MESH" and obj.vertex_groups.active is not None
    return [obj] if has_group and obj is not None else []


def obstacle(context: Context) -> str:
    """Why no part can change, as far as a glance tells; "" if nothing is in the way. Cheap."""
    if context.mode not in {"OBJECT", "EDIT_MESH"}:
        return phrase("Go to Edit Mode and select faces, or to Object Mode first")
    if not paintable.has_numpy():
        return paintable.NO_NUMPY
    objects = chosen(context)
    if not objects:
        return phrase("Select faces in Edit Mode, or choose a vertex group")
    return next((why for why in (paintable.object_obstacle(obj, editing=True) for obj in objects) if why), "")


@contextmanager
def in_object_mode(context: Context) -> Iterator[None]:
    """Object Mode for as long as objects are read; afterwards the mode is as it was."""
    editing = context.mode == "EDIT_MESH"
    if editing:
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        yield
    finally:
        if editing:
            bpy.ops.object.mode_set(mode="EDIT")


@contextmanager
def marked(objects: Sequence[Object], *, faces: bool) -> Iterator[list[Object]]:
    """Objects with the attribute that says what changes; those of which nothing is selected are left out.

    objects: as `chosen` gives them, in Object Mode.
    faces: bool, the selected faces count; else the active vertex group.
    Raises EngineTrouble where nothing or everything is selected.
    """
    values = {obj.name: _selected_faces(obj.data) if faces else _group_weights(obj) for obj in objects}
    found = [obj for obj in objects if any(values[obj.name])]
    if not found:
        raise refused(
            "part_empty",
            phrase("Nothing is selected, so nothing can change."),
            phrase("No face is selected in Edit Mode.")
            if faces
            else phrase("The active vertex group has no weight above 0."),
            phrase("Select the faces that are to change.")
            if faces
            else phrase("Paint weights, or select faces in Edit Mode."),
        )
    if all(min(values[obj.name]) >= 1.0 for obj in found):
        raise refused(
            "part_whole",
            phrase("Everything is selected."),
            phrase("A part can only change where something beside it stays."),
            phrase("Select fewer faces. For a new texture of the whole object, use Texture This."),
        )
    done: list[tuple[Mesh, int]] = []
    try:
        for obj in found:
            attributes = obj.data.attributes
            done.append((obj.data, attributes.active_index))
            left = attributes.get(NAME)
            if left is not None:  # of a Blender that ended in between
                attributes.remove(left)
            made = attributes.new(name=NAME, type="FLOAT", domain="FACE" if faces else "POINT")
            made.data.foreach_set("value", values[obj.name])
        yield found
    finally:
        for mesh, active in done:
            made = mesh.attributes.get(NAME)
            if made is not None:
                mesh.attributes.remove(made)
            if -1 < active < len(mesh.attributes) and mesh.attributes.active_index != active:
                mesh.attributes.active_index = active


def corner_weights(obj: Object, mesh: Mesh) -> Any:
    """How much each corner of what is seen may change, float32[L] in [0, 1].

    mesh: evaluated, of an object that is `marked`.
    Raises EngineTrouble where a modifier loses the selection.
    """
    import numpy as np

    attribute: Any = mesh.attributes.get(NAME)
    values = np.zeros(len(attribute.data) if attribute is not None else 0, np.float32)
    if attribute is not None and attribute.data_type == "FLOAT":
        attribute.data.foreach_get("value", values)
    values = np.clip(np.nan_to_num(values, nan=0.0), 0.0, 1.0)
    if not values.any():
        raise _lost(obj)
    if attribute.domain == "CORNER":
        return values
    if attribute.domain == "POINT":
        vertex = np.empty(len(mesh.loops), np.int32)
        mesh.loops.foreach_get("vertex_index", vertex)
        return values[vertex]
    if attribute.domain != "FACE":
        raise _lost(obj)
    sizes = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", sizes)
    return np.repeat(values, sizes)


def _selected_faces(mesh: Mesh) -> array[float]:
    selected = array("b", bytes(len(mesh.polygons)))
    if len(selected):
        mesh.polygons.foreach_get("select", selected)
    return array("f", selected)


def _group_weights(obj: Object) -> array[float]:
    """The weight of every vertex in the active vertex group; 0 where it is not in it."""
    number = obj.vertex_groups.active_index
    weights = array("f", bytes(4 * len(obj.data.vertices)))
    for vertex in obj.data.vertices:
        for entry in vertex.groups:
            if entry.group == number:
                weights[vertex.index] = min(max(entry.weight, 0.0), 1.0)
    return weights


def _lost(obj: Object) -> EngineTrouble:
    return refused(
        "part_lost",
        phrase("The selection of '{name}' does not come through its modifiers.", name=obj.name),
        phrase("What you see has other faces, and none of them is known to be selected."),
        phrase("Apply the modifier that makes them, or turn it off in the viewport."),
    )
