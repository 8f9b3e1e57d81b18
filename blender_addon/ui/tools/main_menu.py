"""The menu *DreamFusion* below Add and Mesh. Blender's search (F3) finds what is in menus, by the words there."""

from __future__ import annotations

import bpy
from bpy.types import Context, Menu

from ...core.phrase import phrase
from ..translation import translated

_MAKE = (
    ("dreamfusion.generate", "MESH_MONKEY", phrase("Generate Object from Prompt")),
    ("dreamfusion.queue_text", "LINENUMBERS_ON", phrase("Queue All Lines of a Text as Prompts")),
    ("dreamfusion.texture", "TEXTURE", phrase("Texture This from Prompt")),
    ("dreamfusion.change_part", "FACESEL", phrase("Change Part by Prompt...")),
)
_SET = (
    ("dreamfusion.add_pictures", "FILEBROWSER", phrase("Add Reference Pictures...")),
    ("dreamfusion.add_picture_line", "IMAGE_DATA", phrase("Add Open Image as Reference")),
    ("dreamfusion.add_adapter", "MODIFIER", phrase("Add LoRA or Word...")),
    ("dreamfusion.randomize_seed", "FILE_REFRESH", ""),
    ("dreamfusion.reset_settings", "LOOP_BACK", phrase("Reset Settings to Recipe")),
)
_RUN = (
    ("dreamfusion.pause", "PAUSE", phrase("Pause Run")),
    ("dreamfusion.resume_job", "PLAY", phrase("Resume Run")),
    ("dreamfusion.finish", "CHECKMARK", ""),
    ("dreamfusion.cancel", "X", phrase("Cancel Run")),
    ("dreamfusion.insert", "IMPORT", phrase("Insert Result into Scene")),
    ("dreamfusion.insert_copies", "MESH_CUBE", ""),
    ("dreamfusion.next_seed", "FORWARD", ""),
    ("dreamfusion.retry_job", "FILE_REFRESH", ""),
    ("dreamfusion.lower_quality", "TRIA_DOWN", ""),
    ("dreamfusion.use_settings", "PRESET", phrase("Use Settings of Result")),
    ("dreamfusion.copy_job_recipe", "COPYDOWN", phrase("Copy Recipe of Result")),
    ("dreamfusion.open_folder", "FILE_FOLDER", phrase("Open Folder of Result")),
)
_ENGINE = (
    ("dreamfusion.install_engine", "IMPORT", ""),
    ("dreamfusion.cancel_install", "X", ""),
    ("dreamfusion.test_connection", "LINKED", ""),
    ("dreamfusion.restart_engine", "FILE_REFRESH", ""),
    ("dreamfusion.open_log", "TEXT", phrase("Open Engine Log")),
    ("dreamfusion.copy_report", "COPYDOWN", phrase("Copy Error Report")),
    ("dreamfusion.choose_folder", "FILE_FOLDER", ""),
    ("dreamfusion.add_model", "ASSET_MANAGER", phrase("Add Model...")),
    ("dreamfusion.open_preferences", "PREFERENCES", ""),
)


def _draw_entries(menu: Menu, entries: tuple[tuple[str, str, str], ...]) -> None:
    menu.layout.operator_context = "INVOKE_DEFAULT"
    for operator, icon, text in entries:
        if text:
            menu.layout.operator(operator, text=text, icon=icon)
        else:
            menu.layout.operator(operator, icon=icon)


class DREAMFUSION_MT_run(Menu):
    """What can be done with the run at work, or else with the chosen result."""

    bl_label = "Run and Result"

    def draw(self, _context: Context) -> None:
        """Draw the entries."""
        _draw_entries(self, _RUN)


class DREAMFUSION_MT_engine(Menu):
    """The engine, its models and its log."""

    bl_label = "Engine and Models"

    def draw(self, _context: Context) -> None:
        """Draw the entries."""
        _draw_entries(self, _ENGINE)


class DREAMFUSION_MT_main(Menu):
    """All that the add-on can do."""

    bl_label = "DreamFusion: AI Text to 3D"

    def draw(self, _context: Context) -> None:
        """Draw what makes something, what sets something, and the other menus."""
        _draw_entries(self, _MAKE)
        self.layout.separator()
        _draw_entries(self, _SET)
        self.layout.separator()
        self.layout.menu("DREAMFUSION_MT_run", icon="RENDERLAYERS")
        self.layout.menu(
            "DREAMFUSION_MT_object", text=translated("Finished Object"), translate=False, icon="OBJECT_DATA"
        )
        self.layout.menu("DREAMFUSION_MT_engine", icon="TOOL_SETTINGS")


CLASSES = (DREAMFUSION_MT_run, DREAMFUSION_MT_engine, DREAMFUSION_MT_main)
_MENUS = ("VIEW3D_MT_add", "VIEW3D_MT_edit_mesh")


def attach() -> None:
    """Put the menu into Add, and into Mesh, which Edit Mode has in place of it."""
    for name in _MENUS:
        getattr(bpy.types, name).append(_draw)


def detach() -> None:
    """Remove it again."""
    for name in _MENUS:
        getattr(bpy.types, name).remove(_draw)


def _draw(menu: Menu, _context: Context) -> None:
    menu.layout.separator()
    menu.layout.menu("DREAMFUSION_MT_main", icon="SHADERFX")
