"""What the main panel shows when it makes a texture: the objects, what is done with them, and Texture This."""

from __future__ import annotations

from typing import Any

from bpy.types import Context, UILayout

from ..operators import texture
from ..scene.texture import paintable
from ..translation import translated
from . import trouble_box


def draw_choices(layout: UILayout, context: Context, chosen: Any) -> None:
    """Draw the selected objects and the choices for them.

    chosen: `scene.dreamfusion`.
    """
    box = layout.box()
    objects = paintable.chosen(context)
    box.label(text=selection_text([obj.name for obj in objects]), icon="OBJECT_DATA", translate=False)
    column = box.column()
    column.row(align=True).prop(chosen.texture, "uvs", expand=True)
    column.label(text=translated("Texture Size"), translate=False)
    column.row(align=True).prop(chosen.texture, "size", expand=True)
    column.label(text=translated("Front Side"), translate=False)
    column.prop(chosen.texture, "front", text="")
    column.label(text=translated("Material"), translate=False)
    column.row(align=True).prop(chosen.texture, "material", expand=True)


def draw_button(layout: UILayout, context: Context, *, beside: bool) -> None:
    """Draw Texture This, and below it why it is grey.

    beside: bool, whether a job is at work, to which this one would be added.
    """
    if beside:
        layout.operator("dreamfusion.texture", text="Add to Queue", icon="ADD")
    else:
        big = layout.row()
        big.scale_y = 1.8
        big.operator("dreamfusion.texture", icon="TEXTURE")
    row = layout.row()
    row.operator_context = "INVOKE_DEFAULT"
    row.operator("dreamfusion.change_part", text="Change Part...", icon="FACESEL")
    reason = texture.obstacle(context)
    if reason:
        trouble_box.draw_text(layout, context, reason, "INFO", limit=5)


def selection_text(names: list[str]) -> str:
    """The selected objects in a few words of Blender's language: 'Cube', 'Cube and 2 more', 'No mesh is selected'."""
    if not names:
        return translated("No mesh is selected")
    if len(names) == 1:
        return names[0]
    return translated("{name} and {count} more", name=names[0], count=len(names) - 1)
