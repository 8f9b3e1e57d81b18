"""The places of the tools for finished objects: a sub-panel of the sidebar, the Object menu and its context menu."""

from __future__ import annotations

import bpy
from bpy.types import Context, Menu, Panel, UILayout

from ...core.declared_settings import ENGINE
from ...core.model_card import FIELD
from ...core.phrase import phrase
from ..panels import adapter_list, trouble_box
from ..panels.main import Sidebar
from ..scene import object_recipe
from ..translation import translated

_GROUPS = (
    (
        ("dreamfusion.variation", "FORWARD"),
        ("dreamfusion.regenerate", "FILE_REFRESH"),
        ("dreamfusion.copy_recipe", "COPYDOWN"),
    ),
    (("dreamfusion.refine", "MOD_SMOOTH"), ("dreamfusion.change_part", "FACESEL")),
    (("dreamfusion.quads", "MOD_REMESH"), ("dreamfusion.decimate", "MOD_DECIM")),
    (("dreamfusion.mark_asset", "ASSET_MANAGER"), ("dreamfusion.turntable", "CAMERA_DATA")),
)


class DREAMFUSION_MT_object(Menu):
    """The tools for a finished object."""

    bl_label = "DreamFusion"

    def draw(self, _context: Context) -> None:
        """Draw the tools, in groups."""
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        for number, group in enumerate(_GROUPS):
            if number:
                layout.separator()
            for operator, icon in group:
                _button(layout, operator, icon)
        layout.separator()
        layout.operator("dreamfusion.show_material_preview", icon="SHADING_TEXTURE")


class DREAMFUSION_PT_object(Sidebar, Panel):
    """The active object, when DreamFusion made it."""

    bl_label = "Object"
    bl_parent_id = "DREAMFUSION_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether the active object is a result of the add-on."""
        return object_recipe.is_result(context.active_object)

    def draw(self, context: Context) -> None:
        """Draw the object's recipe and its tools."""
        layout = self.layout
        made_by = object_recipe.read(context.active_object)
        if made_by is None:
            layout.label(text=translated("The recipe on this object is damaged"), translate=False, icon="ERROR")
        else:
            layout.label(
                text=translated("{prompt}, seed {seed}", prompt=made_by.title, seed=made_by.seed),
                icon="OBJECT_DATA",
                translate=False,
            )
            words = ENGINE.stages[""]["method"].words
            if made_by.method != FIELD and made_by.method in words:
                text = phrase("Made by {method}", method=words[made_by.method][0])
                trouble_box.draw_text(layout, context, text, "MESH_UVSPHERE", limit=3)
            if made_by.texture_model:
                text = phrase("Texture by {model}", model=made_by.texture_model)
                trouble_box.draw_text(layout, context, text, "TEXTURE", limit=3)
            adapter_list.draw_recipe(layout, made_by)
            lines = layout.column(align=True)
            for line in object_recipe.verdict(context.active_object):
                trouble_box.draw_text(lines, context, line, "BLANK1", limit=4)
        for group in _GROUPS:
            column = layout.column(align=True)
            for operator, icon in group:
                _button(column, operator, icon)
        layout.operator("dreamfusion.show_material_preview", icon="SHADING_TEXTURE")


CLASSES = (DREAMFUSION_MT_object, DREAMFUSION_PT_object)
_MENUS = ("VIEW3D_MT_object", "VIEW3D_MT_object_context_menu")


def attach() -> None:
    """Put the menu into Blender's menus for objects, and Texture This and Change Part into those of a mesh."""
    for name in _MENUS:
        getattr(bpy.types, name).append(_draw)
    bpy.types.VIEW3D_MT_object_context_menu.append(_draw_texture)
    bpy.types.VIEW3D_MT_edit_mesh_context_menu.append(_draw_part)


def detach() -> None:
    """Remove the menu from Blender's menus."""
    bpy.types.VIEW3D_MT_edit_mesh_context_menu.remove(_draw_part)
    bpy.types.VIEW3D_MT_object_context_menu.remove(_draw_texture)
    for name in _MENUS:
        getattr(bpy.types, name).remove(_draw)


def _button(layout: UILayout, operator: str, icon: str) -> None:
    if operator == "dreamfusion.quads":
        layout.operator(operator, text="Quads...", icon=icon)  # it asks first
    elif operator == "dreamfusion.change_part":
        layout.operator(operator, text="Change Part...", icon=icon)  # so does it
    else:
        layout.operator(operator, icon=icon)


def _draw_texture(menu: Menu, context: Context) -> None:
    if context.active_object is not None and context.active_object.type == "MESH":
        menu.layout.separator()
        menu.layout.operator("dreamfusion.texture", icon="TEXTURE")
        if context.active_object.vertex_groups.active is not None:
            _draw_part(menu, context)


def _draw_part(menu: Menu, _context: Context) -> None:
    if menu.layout.operator_context != "INVOKE_DEFAULT":
        menu.layout.operator_context = "INVOKE_DEFAULT"
    _button(menu.layout, "dreamfusion.change_part", "FACESEL")


def _draw(menu: Menu, context: Context) -> None:
    if object_recipe.is_result(context.active_object):
        menu.layout.separator()
        menu.layout.menu("DREAMFUSION_MT_object", icon="SHADERFX")
