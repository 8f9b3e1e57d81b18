"""Where the tools for finished objects are: a sub-panel of the sidebar, the Object menu and its context menu."""

from __future__ import annotations

import bpy
from bpy.types import Context, Menu, Panel

from . import recipe
from .panels import Sidebar


class DREAMFUSION_MT_object(Menu):
    """The tools for a finished object."""

    bl_label = "DreamFusion"

    def draw(self, _context: Context) -> None:
        """The tools, in groups."""
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator("dreamfusion.quads", icon="MOD_REMESH")
        layout.operator("dreamfusion.decimate", icon="MOD_DECIM")
        layout.separator()
        layout.operator("dreamfusion.mark_asset", icon="ASSET_MANAGER")
        layout.operator("dreamfusion.turntable", icon="CAMERA_DATA")
        layout.separator()
        layout.operator("dreamfusion.regenerate", icon="FILE_REFRESH")
        layout.operator("dreamfusion.variation", icon="FORWARD")
        layout.operator("dreamfusion.copy_recipe", icon="COPYDOWN")


class DREAMFUSION_PT_object(Sidebar, Panel):
    """The active object, when DreamFusion made it."""

    bl_label = "Object"
    bl_parent_id = "DREAMFUSION_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Only for results."""
        return recipe.is_result(context.active_object)

    def draw(self, context: Context) -> None:
        """What it was made from, and what can be done with it."""
        layout = self.layout
        made_by = recipe.read(context.active_object)
        if made_by is None:
            layout.label(text="The recipe on this object is damaged", icon="ERROR")
        else:
            layout.label(text=f"{made_by.prompt}, seed {made_by.seed}", icon="OBJECT_DATA", translate=False)
        row = layout.row(align=True)
        row.operator("dreamfusion.regenerate", icon="FILE_REFRESH")
        row.operator("dreamfusion.variation", icon="FORWARD")
        row = layout.row(align=True)
        row.operator("dreamfusion.quads", icon="MOD_REMESH")
        row.operator("dreamfusion.decimate", icon="MOD_DECIM")
        row = layout.row(align=True)
        row.operator("dreamfusion.mark_asset", icon="ASSET_MANAGER")
        row.operator("dreamfusion.turntable", icon="CAMERA_DATA")
        layout.operator("dreamfusion.copy_recipe", icon="COPYDOWN")
        layout.operator("dreamfusion.show_material_preview", icon="SHADING_TEXTURE")


CLASSES = (DREAMFUSION_MT_object, DREAMFUSION_PT_object)
_MENUS = ("VIEW3D_MT_object", "VIEW3D_MT_object_context_menu")


def attach() -> None:
    """Put the menu into Blender's menus for objects."""
    for name in _MENUS:
        getattr(bpy.types, name).append(_draw)


def detach() -> None:
    """Take it out again."""
    for name in _MENUS:
        getattr(bpy.types, name).remove(_draw)


def _draw(menu: Menu, context: Context) -> None:
    if recipe.is_result(context.active_object):
        menu.layout.separator()
        menu.layout.menu("DREAMFUSION_MT_object", icon="SHADERFX")
