"""Tells whether the artist, or Blender itself, is in the middle of something that a change would disturb."""

from __future__ import annotations

import bpy
from bpy.types import Context

# Operators that hold on to objects and meshes while the mouse moves. Other add-ons have operators that run all day
# long; those do not count.
_STROKES = (
    "TRANSFORM_OT_",
    "VIEW3D_OT_",
    "OBJECT_OT_",
    "MESH_OT_",
    "CURVE_OT_",
    "CURVES_OT_",
    "SCULPT_OT_",
    "SCULPT_CURVES_OT_",
    "PAINT_OT_",
    "GPENCIL_OT_",
    "GREASE_PENCIL_OT_",
    "POSE_OT_",
    "UV_OT_",
)


def rendering() -> bool:
    """Whether a render or a bake is at work. Its own thread reads the scene."""
    return any(bpy.app.is_job_running(job_type) for job_type in ("RENDER", "OBJECT_BAKE"))


def in_stroke(context: Context) -> bool:
    """Whether the mouse drags something right now. Blender tells since 4.2; before, the answer is no."""
    for window in context.window_manager.windows:
        for operator in getattr(window, "modal_operators", ()):
            if operator.bl_idname.startswith(_STROKES):
                return True
    return False


def in_other_mode(context: Context) -> bool:
    """Whether an object is being edited, sculpted, painted or posed."""
    return bool(context.mode != "OBJECT")


def settled(context: Context) -> bool:
    """Whether an object can be added now. If not, wait a tick."""
    return not rendering() and not in_stroke(context)
