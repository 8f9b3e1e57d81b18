"""Buttons that help when something went wrong, and those of the preferences."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty
from bpy.types import Context, Event, Operator

from .. import ADDON
from ..core.job import Trouble
from . import model_folders, preferences, pump, redraw, session


class DREAMFUSION_OT_open_preferences(Operator):
    """Open the add-on's preferences"""

    bl_idname = "dreamfusion.open_preferences"
    bl_label = "DreamFusion Preferences..."
    bl_options = {"REGISTER"}

    def execute(self, _context: Context) -> set[str]:
        """Open."""
        bpy.ops.preferences.addon_show(module=ADDON)
        return {"FINISHED"}


class DREAMFUSION_OT_restart_engine(Operator):
    """Start the engine again"""

    bl_idname = "dreamfusion.restart_engine"
    bl_label = "Start Engine Again"
    bl_options = {"REGISTER"}

    def execute(self, _context: Context) -> set[str]:
        """Start."""
        here = session.current()
        here.trouble = None
        here.look(now=True)
        here.queue.start_engine()
        pump.wake()
        redraw.panels()
        return {"FINISHED"}


class DREAMFUSION_OT_open_log(Operator):
    """Show what the engine said, in the program that opens text files"""

    bl_idname = "dreamfusion.open_log"
    bl_label = "Open Log"
    bl_options = {"REGISTER"}

    def execute(self, _context: Context) -> set[str]:
        """Show the log in the system's editor."""
        log = session.current().log
        if not log.is_file():
            self.report({"WARNING"}, "There is no log yet: the engine has not been started")
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=str(log))
        return {"FINISHED"}


class DREAMFUSION_OT_copy_report(Operator):
    """Copy what went wrong, the versions and the end of the log, for asking somebody"""

    bl_idname = "dreamfusion.copy_report"
    bl_label = "Copy Report"
    bl_options = {"REGISTER"}

    job_id: StringProperty(name="Job", description="Id of the job that it is about", options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, context: Context) -> set[str]:
        """Copy."""
        here = session.current()
        job = here.job(self.job_id)
        trouble = job.trouble if job is not None else here.trouble or here.queue.engine_trouble or here.missing
        context.window_manager.clipboard = report_text(trouble, here.log)
        self.report({"INFO"}, "Copied the report")
        return {"FINISHED"}


class DREAMFUSION_OT_choose_folder(Operator):
    """Choose the folder in which every object gets a folder of its own"""

    bl_idname = "dreamfusion.choose_folder"
    bl_label = "Choose Output Folder"
    bl_options = {"REGISTER"}

    directory: StringProperty(name="Folder", description="The output folder", subtype="DIR_PATH")
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Whether the folder may change now."""
        if session.is_working():
            cls.poll_message_set("Let the queue end first: its jobs write to the present folder")
            return False
        return True

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the file browser."""
        self.directory = str(preferences.output_folder(preferences.of()))
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: Context) -> set[str]:
        """Set the preference."""
        preferences.of().output = self.directory
        redraw.panels()
        return {"FINISHED"}


class DREAMFUSION_OT_dismiss(Operator):
    """Put the message away. The job stays in the results"""

    bl_idname = "dreamfusion.dismiss"
    bl_label = "Dismiss"
    bl_options = {"REGISTER"}

    job_id: StringProperty(name="Job", description="Id of the job that it is about", options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, _context: Context) -> set[str]:
        """Forget the message."""
        here = session.current()
        if self.job_id:
            here.recent.discard(self.job_id)
        else:
            here.trouble, here.notice, here.report = None, "", None
            here.dismissed = here.queue.engine_trouble
        redraw.panels()
        return {"FINISHED"}


class DREAMFUSION_OT_test_connection(Operator):
    """Start the engine as it is set here, ask what it is, and end it"""

    bl_idname = "dreamfusion.test_connection"
    bl_label = "Test Connection"
    bl_options = {"REGISTER"}

    stop: BoolProperty(name="Stop", description="End the test", options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, _context: Context) -> set[str]:
        """Start the test, or end it; the timer takes its report."""
        here = session.current()
        if self.stop:
            here.stop_test()
        else:
            here.test_connection()
        pump.wake()
        redraw.panels()
        return {"FINISHED"}


class DREAMFUSION_OT_add_model(Operator):
    """Add a folder with a diffusers model, or all that are in it, to the list of models"""

    bl_idname = "dreamfusion.add_model"
    bl_label = "Add Model"
    bl_options = {"REGISTER"}

    directory: StringProperty(name="Folder", description="The model's folder", subtype="DIR_PATH")
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Open the file browser."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: Context) -> set[str]:
        """Look at the folder and the ones in it."""
        known = preferences.of().models
        found = model_folders.find(Path(bpy.path.abspath(self.directory)))
        if not found:
            self.report({"ERROR"}, f"No model in {self.directory}: choose the folder that has a model_index.json")
            return {"CANCELLED"}
        for folder in found:
            if str(folder) not in {model.path for model in known}:
                model = known.add()
                model.name, model.path = folder.name, str(folder)
        return {"FINISHED"}


class DREAMFUSION_OT_remove_model(Operator):
    """Take the model from the list. Its files stay"""

    bl_idname = "dreamfusion.remove_model"
    bl_label = "Remove Model"
    bl_options = {"REGISTER"}

    index: IntProperty(name="Line", description="Which line of the list", default=0, min=0)

    def execute(self, _context: Context) -> set[str]:
        """Remove."""
        preferences.of().models.remove(self.index)
        return {"FINISHED"}


CLASSES = (
    DREAMFUSION_OT_open_preferences,
    DREAMFUSION_OT_restart_engine,
    DREAMFUSION_OT_open_log,
    DREAMFUSION_OT_copy_report,
    DREAMFUSION_OT_choose_folder,
    DREAMFUSION_OT_dismiss,
    DREAMFUSION_OT_test_connection,
    DREAMFUSION_OT_add_model,
    DREAMFUSION_OT_remove_model,
)

_LOG_BYTES = 4000  # of the log's end in a report


def report_text(trouble: Trouble | None, log: Path) -> str:
    """A trouble with versions and the end of the log, as text."""
    lines = [
        "DreamFusion for Blender",
        f"Blender {bpy.app.version_string}, Python {sys.version.split()[0]}, {platform.platform(terse=True)}",
    ]
    if trouble is not None:
        lines += [f"Code: {trouble.code}", f"What: {trouble.what}", f"Why: {trouble.why}", f"Fix: {trouble.fix}"]
    if log.is_file():
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _LOG_BYTES))
            lines += ["", "End of the engine's log:", stream.read().decode("utf-8", "replace")]
    return "\n".join(lines)
