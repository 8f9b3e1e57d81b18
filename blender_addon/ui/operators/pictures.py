"""The buttons of the list of pictures: add, remove, show the cut-out, and files that are dropped on the sidebar."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, StringProperty
from bpy.types import Context, Event, Image, Operator, OperatorFileListElement

from ...core.given_pictures import MOST, SIDES
from ...core.job import EngineTrouble
from ...core.phrase import phrase
from ..run import cut_outs, enqueue, session, timer
from ..scene import given_image
from ..settings import picture_settings, scene_settings
from ..translation import translated

_EXTENSIONS = ".png;.jpg;.jpeg;.webp;.tif;.tiff;.bmp;.tga;.exr;.hdr"


def _has_room(operator: Any, context: Context) -> bool:
    """Whether one more picture may be added. Else the grey button's hint says why not."""
    if len(scene_settings.of(context).pictures.rows) >= MOST:
        operator.poll_message_set(translated("An object takes {most} pictures at most. Remove some first", most=MOST))
        return False
    return True


class DREAMFUSION_OT_add_pictures(Operator):
    """Add pictures from files: they show what the object looks like. A name such as 'car-left.png' tells the side"""

    bl_idname = "dreamfusion.add_pictures"
    bl_label = "Add Pictures"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(name="File", description="The file", subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: StringProperty(
        name="Folder", description="Where the files are", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )
    files: CollectionProperty(name="Files", type=OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether one more picture may be added."""
        return _has_room(cls, context)

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the file browser, unless files were dropped."""
        if self.directory and len(self.files):
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Context) -> set[str]:
        """Add a line for every file that is a picture. For every other file, report why not."""
        names = [element.name for element in self.files if element.name]
        paths = [os.path.join(self.directory, name) for name in names] or [self.filepath]
        rows = scene_settings.of(context).pictures.rows
        added = 0
        for path in paths:
            if len(rows) >= MOST:
                self.report(
                    {"WARNING"},
                    translated(
                        "An object takes {most} pictures at most: {name} was left out", most=MOST, name=Path(path).name
                    ),
                )
                break
            image = _loaded(self, path)
            if image is not None:
                _add(rows, image, Path(path).stem)
                added += 1
        return {"FINISHED"} if added else {"CANCELLED"}


class DREAMFUSION_OT_add_picture_line(Operator):
    """Add a line for an image that is in this file already, such as one that you have painted"""

    bl_idname = "dreamfusion.add_picture_line"
    bl_label = "Add Open Image"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether one more picture may be added."""
        return _has_room(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Add a line without an image, for the next free side."""
        _add(scene_settings.of(context).pictures.rows, None, "")
        return {"FINISHED"}


class _Line:
    """Mixed into operators about one line of the list."""

    index: IntProperty(name="Line", description="Which line of the list", min=0, options={"SKIP_SAVE", "HIDDEN"})

    def row(self, context: Context) -> Any:
        """The line; None where there is no such one."""
        rows = scene_settings.of(context).pictures.rows
        return rows[self.index] if self.index < len(rows) else None


class DREAMFUSION_OT_remove_picture(_Line, Operator):
    """Take the picture from the list. The image stays in the file"""

    bl_idname = "dreamfusion.remove_picture"
    bl_label = "Remove"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    def execute(self, context: Context) -> set[str]:
        """Delete the line."""
        if self.row(context) is None:
            return {"CANCELLED"}
        scene_settings.of(context).pictures.rows.remove(self.index)
        return {"FINISHED"}


class DREAMFUSION_OT_show_cut_out(_Line, Operator):
    """Show what of this picture the engine takes for the object, as an image whose alpha you can paint"""

    bl_idname = "dreamfusion.show_cut_out"
    bl_label = "Show Cut-Out"
    bl_options = {"REGISTER", "INTERNAL"}  # no UNDO: the image comes later, with a step of its own

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Whether there is an engine to ask."""
        if session.current().missing is not None:
            cls.poll_message_set(translated("Install the engine first: it cuts out the object"))
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Ask the engine, which is started for it where need be."""
        row = self.row(context)
        if row is None or row.image is None:
            self.report({"ERROR"}, translated("Choose an image first"))
            return {"CANCELLED"}
        try:
            cut_outs.ask(row)
        except EngineTrouble as error:
            enqueue.refuse(self, error)
            return {"CANCELLED"}
        timer.wake()
        return {"FINISHED"}


class DREAMFUSION_OT_uncut_picture(_Line, Operator):
    """Use the whole picture again, as it was before it was cut out"""

    bl_idname = "dreamfusion.uncut_picture"
    bl_label = "Back to Whole Picture"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    def execute(self, context: Context) -> set[str]:
        """Give the line its first image back."""
        row = self.row(context)
        if row is None or row.uncut is None:
            return {"CANCELLED"}
        cut_outs.put_uncut(row)
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (
    DREAMFUSION_OT_add_pictures,
    DREAMFUSION_OT_add_picture_line,
    DREAMFUSION_OT_remove_picture,
    DREAMFUSION_OT_show_cut_out,
    DREAMFUSION_OT_uncut_picture,
)

if hasattr(bpy.types, "FileHandler"):  # since Blender 4.1

    class DREAMFUSION_FH_pictures(bpy.types.FileHandler):
        """Pictures that are dropped on the tab become lines of its list."""

        bl_idname = "DREAMFUSION_FH_pictures"
        bl_label = "Pictures for DreamFusion"
        bl_import_operator = "dreamfusion.add_pictures"
        bl_file_extensions = _EXTENSIONS

        @classmethod
        def poll_drop(cls, context: Context) -> bool:
            """Whether they are dropped on the sidebar of a 3D view while it shows the tab."""
            area, region = context.area, context.region
            if area is None or region is None or (area.type, region.type) != ("VIEW_3D", "UI"):
                return False
            return getattr(region, "active_panel_category", "DreamFusion") in ("DreamFusion", "UNSUPPORTED")

    CLASSES += (DREAMFUSION_FH_pictures,)


def _loaded(operator: Operator, path: str) -> Image | None:
    """The image of a file, which is loaded once; None where it is none, which is reported."""
    name = Path(path).name or translated("The choice")
    if not os.path.isfile(path):
        operator.report({"ERROR"}, translated("{name} is no file", name=name))
        return None
    try:
        image = bpy.data.images.load(path, check_existing=True)
    except RuntimeError as error:
        operator.report({"ERROR"}, translated("{name} cannot be opened: {error}", name=name, error=error))
        return None
    reason = given_image.obstacle(image)
    if not reason and not image.size[0]:
        reason = phrase("Blender cannot read {name} as a picture. Save it as PNG in a picture editor", name=name)
    if not reason:
        return image
    operator.report({"ERROR"}, translated(reason))
    if not image.users:
        bpy.data.images.remove(image)
    return None


def _add(rows: Any, image: Image | None, stem: str) -> None:
    """Add a line, for the side that a file's name says, else for the next side that no line has."""
    words = re.split(r"[^a-z]+", stem.lower())
    taken = {row.view for row in rows}
    free = [side.upper() for side in ("front", "left", "back", "right") if side.upper() not in taken]
    named = [side.upper() for side in SIDES if side in words and side.upper() in free]
    row = rows.add()
    row.image, row.view = image, (named or free or [picture_settings.ANGLES])[0]
