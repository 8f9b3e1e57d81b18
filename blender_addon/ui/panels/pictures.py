"""The pictures of a new object: a line for each with its image, view, mask and cut-out."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.types import Context, Panel, UILayout

from ...core import model_card
from ...core.phrase import phrase
from ..run import cut_outs, pictures, session
from ..settings import models, picture_settings, scene_settings
from ..translation import translated
from . import trouble_box
from .main import Sidebar

_THUMBNAIL = 4.0  # its height in lines
_HINT = phrase(
    "Add pictures of what you want. The object is held to them, and the prompt says what they do not show. "
    "Alpha says what is the object; without it, the object is cut out by its colours"
)


class DREAMFUSION_PT_pictures(Sidebar, Panel):
    """What the object looks like, by pictures."""

    bl_label = "Pictures"
    bl_parent_id = "DREAMFUSION_PT_main"
    bl_options = {"DEFAULT_CLOSED"}
    layout: Any

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is an engine, and a new object is made."""
        return scene_settings.of(context).task == "OBJECT" and session.current().missing is None

    def draw_header(self, context: Context) -> None:
        """Draw the number of pictures, which is to be seen in the closed panel too."""
        count = len(scene_settings.of(context).pictures.rows)
        if count:
            self.layout.label(text=str(count), icon="IMAGE_DATA")

    def draw(self, context: Context) -> None:
        """Draw the lines, the buttons that add more, and what is in the way."""
        layout = self.layout
        rows = scene_settings.of(context).pictures.rows
        for index, row in enumerate(rows):
            _draw_row(layout.box(), context, index, row)
        column = layout.column(align=True)
        column.operator_context = "INVOKE_DEFAULT"
        column.operator("dreamfusion.add_pictures", text="Add Pictures...", icon="FILEBROWSER")
        column.operator("dreamfusion.add_picture_line", icon="IMAGE_DATA")
        if not len(rows):
            trouble_box.draw_text(layout, context, _HINT, "INFO")
            if hasattr(bpy.types, "FileHandler"):
                trouble_box.draw_text(layout, context, "You can drop picture files here", "BLANK1")
        _draw_poses(layout, context)
        reason = pictures.obstacle(context)
        if reason:
            trouble_box.draw_text(layout, context, reason, "ERROR", limit=6)
        elif len(rows) and not _is_told_picture(context) and not scene_settings.of(context).prompt.strip():
            trouble_box.draw_text(layout, context, "Say in the prompt what they show", "INFO")


CLASSES = (DREAMFUSION_PT_pictures,)


def _is_told_picture(context: Context) -> bool:
    return model_card.is_told_picture(models.card(scene_settings.of(context).model))


def _draw_poses(layout: UILayout, context: Context) -> None:
    """Draw which poses the model was taught, or the choice where only the artist can say it."""
    chosen = scene_settings.of(context)
    line = models.card(chosen.model)
    if not model_card.is_told_poses(line):
        return
    known = model_card.known_poses(line)
    if known:
        choice = next(name for name, pose in picture_settings.POSES.items() if pose == known)
        label = type(chosen.pictures).bl_rna.properties["pose"].enum_items[choice].name
        layout.label(text=translated("Poses: {poses}", poses=translated(label)), icon="CAMERA_DATA", translate=False)
        return
    column = layout.column(align=True)
    column.label(text=translated("Poses"), translate=False)
    column.prop(chosen.pictures, "pose", text="")
    if not picture_settings.poses_of(chosen.pictures):
        trouble_box.draw_text(
            layout, context, "Say which it is: the folders of Zero123 and Stable Zero123 look alike", "ERROR", limit=4
        )


def _draw_row(box: UILayout, context: Context, index: int, row: Any) -> None:
    head = box.row()
    head.label(text=translated("Picture {number}", number=index + 1), translate=False)
    head.operator("dreamfusion.remove_picture", text="", icon="X", emboss=False).index = index
    box.template_ID(row, "image", open="image.open")
    image = row.image
    shown = box.icon(image) if image is not None and row.uncut is None else 0
    if row.uncut is not None and image is not None:
        shown = cut_outs.icon_of(row)
    if shown:
        box.template_icon(icon_value=shown, scale=_THUMBNAIL)
    box.row(align=True).prop(row, "view", text="")
    if row.view == picture_settings.ANGLES:
        column = box.column(align=True)
        column.prop(row, "azimuth")
        column.prop(row, "elevation")
    if image is None:
        return
    if row.uncut is not None:
        trouble_box.draw_text(
            box,
            context,
            "Transparent is what is left out. To correct it, paint its alpha in an Image Editor: mode Paint, and Blend "
            "of the brush Erase Alpha or Add Alpha",
            "IMAGE_ALPHA",
            inset=trouble_box.BOX,
        )
        box.operator("dreamfusion.uncut_picture", icon="LOOP_BACK").index = index
        return
    column = box.column(align=True)
    column.label(text=translated("Mask"), translate=False)
    column.template_ID(row, "mask", open="image.open")
    line = box.row(align=True)
    waits = cut_outs.waits(image)
    if waits:
        line.label(text=translated("Cutting out..."), translate=False, icon="TIME")
    again = {"text": "", "icon": "FILE_REFRESH"} if waits else {"icon": "IMAGE_ALPHA"}
    line.operator("dreamfusion.show_cut_out", **again).index = index
