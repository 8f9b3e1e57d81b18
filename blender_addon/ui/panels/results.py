"""The results: every job of the output folder, and what can be done with the chosen one."""

from __future__ import annotations

from bpy.types import Context, Menu, Panel

from ...core.job import GENERATE, JobState
from ...core.phrase import phrase, phrases
from ..operators.job import insertable
from ..run import job_rows, session
from ..settings import scene_settings
from . import contest_box, trouble_box
from .main import Sidebar
from .run_box import draw_verdict

_INSERT = phrases({True: "Insert", False: "Apply"})  # by whether a new object comes into the scene
_AGAIN = phrases({True: "Insert Again", False: "Apply Again"})


class DREAMFUSION_MT_job(Menu):
    """More about the chosen job."""

    bl_label = "Job"

    def draw(self, context: Context) -> None:
        """Draw the actions that have no button of their own."""
        job = job_rows.chosen(context)
        if job is None:
            return
        for operator, icon in (
            ("dreamfusion.next_seed", "FORWARD"),
            ("dreamfusion.retry_job", "FILE_REFRESH"),
            ("dreamfusion.use_settings", "PRESET"),
            ("dreamfusion.copy_job_recipe", "COPYDOWN"),
            ("dreamfusion.open_folder", "FILE_FOLDER"),
        ):
            self.layout.operator(operator, icon=icon).job_id = job.id


class DREAMFUSION_PT_results(Sidebar, Panel):
    """Queue and history."""

    bl_label = "Results"
    bl_parent_id = "DREAMFUSION_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        """Draw the list, the chosen job's buttons, and the text block with prompts."""
        layout = self.layout
        window = context.window_manager.dreamfusion
        job = job_rows.chosen(context)
        row = layout.row()
        row.template_list("DREAMFUSION_UL_jobs", "", window, "rows", window, "index", rows=4)
        column = row.column(align=True)
        if job is not None:
            column.operator("dreamfusion.remove", text="", icon="TRASH").job_id = job.id
            column.operator("dreamfusion.open_folder", text="", icon="FILE_FOLDER").job_id = job.id
            column.menu("DREAMFUSION_MT_job", text="", icon="DOWNARROW_HLT")
        if job is None:
            trouble_box.draw_text(layout, context, "What you make is listed here", "INFO")
        else:
            row = layout.row(align=True)
            if insertable(job):
                text = _AGAIN[job.task == GENERATE] if job.inserted else _INSERT[job.task == GENERATE]
                row.operator("dreamfusion.insert", text=text, icon="IMPORT").job_id = job.id
                if job.paints:
                    layout.operator("dreamfusion.insert_copies", icon="MESH_CUBE").job_id = job.id
            elif job.state.active:
                row.operator("dreamfusion.cancel", icon="X").job_id = job.id
            elif session.resumable(job) and job.step > 0:
                row.operator("dreamfusion.resume_job", icon="PLAY").job_id = job.id
            elif not job.owner:
                row.operator("dreamfusion.retry_job", icon="FILE_REFRESH").job_id = job.id
            shown = session.current().shown
            if job is not shown:
                draw_verdict(layout.column(align=True), context, job)
                contest_box.draw(layout, context, job)
            if job.state is JobState.FAILED and job.trouble is not None and job is not shown:
                trouble_box.draw_trouble(layout, context, job.trouble, job)
        if session.current().missing is None:
            column = layout.column(align=True)
            trouble_box.draw_text(column, context, "Many at once: a text block with one prompt a line")
            column.template_ID(scene_settings.of(context), "prompts", new="text.new", open="text.open")
            column.operator("dreamfusion.queue_text", icon="LINENUMBERS_ON")
        for folder in session.current().store.unreadable[:2]:
            trouble_box.draw_text(
                layout,
                context,
                phrase("Not readable: {folder}. {why}", folder=folder.folder.name, why=folder.why),
                "ERROR",
                limit=4,
            )


CLASSES = (DREAMFUSION_MT_job, DREAMFUSION_PT_results)
