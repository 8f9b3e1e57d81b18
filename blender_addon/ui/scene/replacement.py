"""Puts a result in the place of a placeholder: same transform, parent, collections, constraints and animation."""

from __future__ import annotations

import bpy
from bpy.types import Context, Mesh, Object
from mathutils import Matrix

from . import placement
from .animation_copy import copy_animation
from .placement import Fit

_TRANSFORM = (
    "location",
    "rotation_mode",
    "rotation_euler",
    "rotation_quaternion",
    "rotation_axis_angle",
    "scale",
    "delta_location",
    "delta_rotation_euler",
    "delta_rotation_quaternion",
    "delta_scale",
    "lock_location",
    "lock_rotation",
    "lock_scale",
)


def mesh_matrix(placeholder: Object, fitted: Fit) -> Matrix:
    """The matrix from the standing mesh to the coordinates of the object that `take_place` makes.

    The object gets its origin at the base and scale 1. If the placeholder is rigged, the object gets the placeholder's
    own origin and scale.
    """
    return fitted.inside() if placement.is_rigged(placeholder) else Matrix.Scale(fitted.scale, 4)


def take_place(obj: Object, placeholder: Object, fitted: Fit) -> None:
    """Give the object the placeholder's transform, parent, constraints and animation.

    fitted: Fit of the object's mesh into the placeholder's box.
    """
    for name in _TRANSFORM:
        setattr(obj, name, getattr(placeholder, name))
    if not placement.is_rigged(placeholder):
        obj.location = placeholder.matrix_basis @ fitted.inside().translation
        obj.scale = (1.0, 1.0, 1.0)
    if placeholder.parent is not None:
        obj.parent = placeholder.parent
        obj.parent_type = placeholder.parent_type
        obj.parent_bone = placeholder.parent_bone
        if placeholder.parent_type in {"VERTEX", "VERTEX_3"}:
            obj.parent_vertices = placeholder.parent_vertices
        obj.matrix_parent_inverse = placeholder.matrix_parent_inverse
    for constraint in placeholder.constraints:
        obj.constraints.copy(constraint)
    copy_animation(placeholder, obj)


def retire(obj: Object, placeholder: Object, context: Context, after: str) -> None:
    """Put the object into the placeholder's collections, and remove, hide or keep the placeholder.

    after: str, 'REMOVE', 'HIDE' or 'KEEP'.

    Whatever refers to a removed placeholder then refers to `obj`: children, for example. A placeholder that is being
    edited, or that belongs to another file, is kept.
    """
    if after == "REMOVE" and placeholder.mode == "OBJECT" and placeholder.library is None:
        data = placeholder.data
        for scene in bpy.data.scenes:  # else the next object would take the place of this one
            chosen = getattr(scene, "dreamfusion", None)
            if chosen is not None and chosen.placement.placeholder == placeholder:
                chosen.placement.placeholder = None
        placeholder.user_remap(obj)  # collections too
        bpy.data.objects.remove(placeholder)
        if isinstance(data, Mesh) and data.users == 0:
            bpy.data.meshes.remove(data)
        return
    for collection in placeholder.users_collection:
        collection.objects.link(obj)
    if after == "HIDE":
        hide(placeholder, context)


def hide(old: Object, context: Context) -> None:
    """Hide an object from the viewport and from renders, unless it is being edited.

    old: Object, whose place another one has taken.
    """
    if old.mode != "OBJECT":
        return
    if old.library is None:
        old.hide_render = True
    if old.name in context.view_layer.objects:
        old.hide_set(True)
