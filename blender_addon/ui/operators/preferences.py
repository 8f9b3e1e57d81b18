"""The buttons of the add-on's preferences: opening them, Test Connection, and the list of models."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, IntProperty
from bpy.types import Context, Operator

from ... import ADDON
from ...core import model_folders
from ...core.phrase import phrase
from ..run import session, timer
from ..scene import redraw
from ..settings import preferences
from ..translation import translated
from .folder_choice import FolderChoice


class DREAMFUSION_OT_open_preferences(Operator):
    """Open the add-on's preferences"""

    bl_idname = "dreamfusion.open_preferences"
    bl_label = "DreamFusion Preferences..."
    bl_options = {"REGISTER"}

    def execute(self, _context: Context) -> set[str]:
        """Show the add-on's part of Blender's preferences."""
        bpy.ops.preferences.addon_show(module=ADDON)
        return {"FINISHED"}


class DREAMFUSION_OT_test_connection(Operator):
    """Start the engine as it is set here, ask what it is, and end it"""

    bl_idname = "dreamfusion.test_connection"
    bl_label = "Test Connection"
    bl_options = {"REGISTER"}

    stop: BoolProperty(name="Stop", description="End the test", options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, _context: Context) -> set[str]:
        """Start the test, or stop the one that runs. The timer takes the report."""
        here = session.current()
        if self.stop:
            here.stop_test()
        else:
            here.test_connection()
        timer.wake()
        redraw.panels()
        return {"FINISHED"}


class DREAMFUSION_OT_add_model(FolderChoice, Operator):
    """Add a diffusers model or a CLIP by its folder, or all models in a folder, single files too"""

    bl_idname = "dreamfusion.add_model"
    bl_label = "Add Model"
    bl_options = {"REGISTER"}

    def execute(self, _context: Context) -> set[str]:
        """Add the folder, or every model in it, that is not in the list yet."""
        known = preferences.of().models
        found = model_folders.find(Path(bpy.path.abspath(self.directory)))
        if not found:
            why = phrase(
                "No model in {folder}: choose a folder with a model_index.json, a CLIP's folder or a whole "
                ".safetensors model",
                folder=self.directory,
            )
            self.report({"ERROR"}, translated(why))
            return {"CANCELLED"}
        for folder in found:
            if str(folder) not in {model.path for model in known}:
                model = known.add()
                model.name, model.path = folder.stem if folder.is_file() else folder.name, str(folder)
        return {"FINISHED"}


class DREAMFUSION_OT_remove_model(Operator):
    """Take the model from the list. Its files stay"""

    bl_idname = "dreamfusion.remove_model"
    bl_label = "Remove Model"
    bl_options = {"REGISTER", "INTERNAL"}

    index: IntProperty(name="Line", description="Which line of the list", default=0, min=0)

    def execute(self, _context: Context) -> set[str]:
        """Delete the line from the list of models."""
        preferences.of().models.remove(self.index)
        return {"FINISHED"}


CLASSES = (
    DREAMFUSION_OT_open_preferences,
    DREAMFUSION_OT_test_connection,
    DREAMFUSION_OT_add_model,
    DREAMFUSION_OT_remove_model,
)
