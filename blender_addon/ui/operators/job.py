"""The buttons of a job in the results, and the buttons that help after a failure."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.types import Context, Event, Operator

from ...core import engine_preset, model_card
from ...core.job import GENERATE, Job, JobState, Recipe
from ...core.jobs.folder import SOURCE
from ..run import contest_pictures, enqueue, insertion, painting, pictures, session
from ..scene import icons, object_recipe
from ..settings import models
from ..translation import told, translated
from .job_action import InsertAction, JobAction


class DREAMFUSION_OT_insert(InsertAction, Operator):
    """Put the object where Placement says, or where the mesh stood that it began from; put a texture on its objects"""

    bl_idname = "dreamfusion.insert"
    bl_label = "Insert"

    def act(self, context: Context, job: Job) -> bool:
        """Insert the object where the sidebar says now, instead of where it said at first; or apply the texture."""
        if job.result is None:
            self.report({"WARNING"}, translated("This job has no object yet"))
            return False
        here = session.current()
        if job.id in here.waiting:
            here.waiting.remove(job.id)
        here.notice = ""
        if job.task == GENERATE:
            job.placement = enqueue.where_again(context, job)
        if not insertion.insert(here, job):
            self.report({"ERROR"}, told(here.trouble) if here.trouble is not None else "")
            return False
        return True


class DREAMFUSION_OT_remove(JobAction, Operator):
    """Take the job from the list and delete its folder. Objects in the scene stay"""

    bl_idname = "dreamfusion.remove"
    bl_label = "Remove and Delete Files"
    bl_options = {"REGISTER", "INTERNAL"}

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Ask before deleting the folder, which undo cannot restore. Before 4.2 Blender asks by the button's name."""
        job = session.current().job(self.job_id)
        confirm = context.window_manager.invoke_confirm
        if job is None or not hasattr(bpy.app, "online_access"):  # before Blender 4.2 it asks by the button's name
            return set(confirm(self, event))
        message = translated(
            "The folder of '{prompt}' is deleted, and undo does not bring it back", prompt=job.recipe.title
        )
        return set(
            confirm(self, event, title=translated(self.bl_label), message=message, confirm_text=translated("Delete"))
        )

    def act(self, _context: Context, job: Job) -> bool:
        """Take the job out of the queue, delete its folder, and free its pictures."""
        here = session.current()
        if job.id in here.waiting:
            here.waiting.remove(job.id)
        here.queue.remove(job)
        contest_pictures.forget(job)
        icons.forget(job.id)
        return True


class DREAMFUSION_OT_retry_job(JobAction, Operator):
    """Make the object again from the beginning"""

    bl_idname = "dreamfusion.retry_job"
    bl_label = "Try Again"

    def act(self, _context: Context, job: Job) -> bool:
        """Queue an ended job again without its checkpoint."""
        if job.state.active:
            self.report({"WARNING"}, translated("This job has not ended"))
            return False
        why = painting.reshaped(job)
        if why:
            self.report({"ERROR"}, translated(why))
            return False
        session.current().queue.retry(job)
        return True


class DREAMFUSION_OT_lower_quality(JobAction, Operator):
    """Queue the same prompt with the next lower quality and without changes that cost memory"""

    bl_idname = "dreamfusion.lower_quality"
    bl_label = "Try with Lower Quality"

    def act(self, context: Context, job: Job) -> bool:
        """Queue a copy of the job with a cheaper recipe."""
        views = model_card.views_together(models.card(job.recipe.model))
        what = cheaper(job.recipe, views)
        return _again(self, context, job, what)


class DREAMFUSION_OT_next_seed(JobAction, Operator):
    """Queue the same prompt with the next seed, which gives another shape or texture; a contest with its next seeds"""

    bl_idname = "dreamfusion.next_seed"
    bl_label = "Try the Next Seed"

    def act(self, context: Context, job: Job) -> bool:
        """Queue a copy of the job with the next seed."""
        seed = enqueue.next_seed(job.recipe.seed + job.recipe.seeds - 1, job.recipe.seeds)
        values = {**job.recipe.to_json(), "seed": seed, "versions": {}}
        return _again(self, context, job, Recipe.from_json(values))


class DREAMFUSION_OT_copy_job_recipe(JobAction, Operator):
    """Copy the job's prompt, seed and settings as text"""

    bl_idname = "dreamfusion.copy_job_recipe"
    bl_label = "Copy Recipe"

    def act(self, context: Context, job: Job) -> bool:
        """Put the job's recipe on the clipboard."""
        context.window_manager.clipboard = object_recipe.as_text(job.outcome)
        self.report({"INFO"}, translated("Copied the recipe"))
        return True


class DREAMFUSION_OT_use_settings(JobAction, Operator):
    """Set the sidebar to this job's prompt, seed and settings"""

    bl_idname = "dreamfusion.use_settings"
    bl_label = "Use These Settings"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context: Context, job: Job) -> bool:
        """Write the recipe into the scene's settings."""
        enqueue.write(context, job.recipe, job.placement)
        pictures.put_back(context, job)
        return True


class DREAMFUSION_OT_open_folder(JobAction, Operator):
    """Show the job's folder in the system's file browser"""

    bl_idname = "dreamfusion.open_folder"
    bl_label = "Open Folder"

    def act(self, _context: Context, job: Job) -> bool:
        """Open the job's folder, if it still exists."""
        if not job.folder.is_dir():
            self.report({"ERROR"}, translated("There is no folder {folder} any more", folder=job.folder))
            return False
        bpy.ops.wm.path_open(filepath=str(job.folder))
        return True


CLASSES = (
    DREAMFUSION_OT_insert,
    DREAMFUSION_OT_remove,
    DREAMFUSION_OT_retry_job,
    DREAMFUSION_OT_lower_quality,
    DREAMFUSION_OT_next_seed,
    DREAMFUSION_OT_copy_job_recipe,
    DREAMFUSION_OT_use_settings,
    DREAMFUSION_OT_open_folder,
)


def _again(operator: Operator, context: Context, job: Job, what: Recipe) -> bool:
    """Queue another recipe for what a job was given. Returns whether it was queued."""
    why = painting.reshaped(job)
    if why:
        operator.report({"ERROR"}, translated(why))
        return False
    files = pictures.file_of(job)
    return enqueue.ask(operator, context, what, dict(job.placement), source_of(job), job.task, pictures=files)


def cheaper(wanted: Recipe, views: int = 1) -> Recipe:
    """The recipe in the next lower quality. The lowest one gets few views a step, small renders and a small texture.

    wanted: Recipe that cost too much.
    views: int, the fewest that the model can judge in a step.
    """
    values = {**wanted.to_json(), "versions": {}}
    settings = {key: dict(value) if isinstance(value, dict) else value for key, value in wanted.settings.items()}
    for stage, key in engine_preset.OF_PRESETS:
        settings.get(stage, {}).pop(key, None)
    position = engine_preset.PRESETS.index(wanted.preset) if wanted.preset in engine_preset.PRESETS else 1
    if position > 0:
        values["preset"] = engine_preset.PRESETS[position - 1]
    else:
        settings.setdefault("optimize", {}).update(views=views, resolution=[32, 32])
        settings.setdefault("mesh", {}).update(texture=512)
    values["settings"] = {key: value for key, value in settings.items() if value != {}}
    return Recipe.from_json(values)


def source_of(job: Job) -> Path | None:
    """The file with the meshes that a job paints or begins from; None for a job without."""
    return job.folder / SOURCE if job.has_source else None


def insertable(job: Job) -> bool:
    """Whether a job has an object for the scene."""
    return job.state is JobState.DONE and job.result is not None
