"""Buttons that help when something went wrong."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy.types import Context, Operator

from ...core.blot import Blot
from ...core.job import Trouble
from ..run import session, timer
from ..scene import redraw
from ..settings import preferences
from ..translation import translated
from .folder_choice import FolderChoice


class DREAMFUSION_OT_restart_engine(Operator):
    """Start the engine again"""

    bl_idname = "dreamfusion.restart_engine"
    bl_label = "Start Engine Again"
    bl_options = {"REGISTER"}

    def execute(self, _context: Context) -> set[str]:
        """Have the queue start the engine, even without a job."""
        here = session.current()
        here.trouble = None
        here.poll(now=True)
        here.queue.start_engine()
        timer.wake()
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
            self.report({"WARNING"}, translated("There is no log yet: the engine has not been started"))
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
        """Put a report on the job's or the engine's trouble on the clipboard."""
        here = session.current()
        job = here.job(self.job_id)
        trouble = job.trouble if job is not None else here.trouble or here.queue.engine_trouble or here.missing
        context.window_manager.clipboard = report_text(trouble, here.log)
        self.report({"INFO"}, translated("Copied the report"))
        return {"FINISHED"}


class DREAMFUSION_OT_choose_folder(FolderChoice, Operator):
    """Choose the folder in which every object gets a folder of its own"""

    bl_idname = "dreamfusion.choose_folder"
    bl_label = "Choose Output Folder"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Whether no job writes to the present folder."""
        if session.is_working():
            cls.poll_message_set(translated("Let the queue end first: its jobs write to the present folder"))
            return False
        return True

    def begin(self) -> str:
        """The present output folder."""
        return str(preferences.output_folder(preferences.of()))

    def execute(self, _context: Context) -> set[str]:
        """Store the chosen folder in the preferences."""
        preferences.of().output = self.directory
        redraw.panels()
        return {"FINISHED"}


class DREAMFUSION_OT_dismiss(Operator):
    """Put the message away. The job stays in the results"""

    bl_idname = "dreamfusion.dismiss"
    bl_label = "Dismiss"
    bl_options = {"REGISTER", "INTERNAL"}

    job_id: StringProperty(name="Job", description="Id of the job that it is about", options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, _context: Context) -> set[str]:
        """Take the message out of the panel."""
        here = session.current()
        if self.job_id:
            here.recent.discard(self.job_id)
        else:
            here.trouble, here.notice, here.report = None, "", None
            here.dismissed = here.queue.engine_trouble
        redraw.panels()
        return {"FINISHED"}


CLASSES = (
    DREAMFUSION_OT_restart_engine,
    DREAMFUSION_OT_open_log,
    DREAMFUSION_OT_copy_report,
    DREAMFUSION_OT_choose_folder,
    DREAMFUSION_OT_dismiss,
)

_LOG_BYTES = 4000  # of the log's end in a report


def report_text(trouble: Trouble | None, log: Path) -> str:
    """A trouble with versions and the end of the log, as text.

    trouble: what to report, or None.
    log: Path of the engine's log.
    """
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
    return Blot().text("\n".join(lines))
