"""The buttons of a run: Generate, Pause, Resume, Cancel, Stop Here and Keep It, and queueing a text block."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from bpy.props import StringProperty
from bpy.types import Context, Operator

from ...core import engine_preset, model_card
from ...core.job import EngineTrouble, Job, JobState, Recipe
from ...core.phrase import phrase
from ...core.visible_text import visible
from ..run import pictures, session
from ..run.enqueue import ask, beginning, engine_is_there, recipe, refuse, start_obstacle
from ..scene import redraw
from ..settings import artist_settings, models, picture_settings, scene_settings
from ..translation import translated
from .job_action import JobAction

_NO_WORDS = phrase("Type a prompt first, such as 'a hamburger'")
_NO_WORDS_FOR_PICTURES = phrase(
    "Say in the prompt what the pictures show, such as 'a red car': from it the model makes up the other sides"
)
_NO_WORDS_TO_PAINT = phrase("The texture model is told in words what the object is: type a prompt")
_ONE_PICTURE = phrase("This model is told one picture: give one in Pictures, and no more")
_POSES = phrase("Choose in Pictures which poses this model was taught")


class DREAMFUSION_OT_generate(Operator):
    """Make an object from the prompt. With another one at work, it waits in the queue"""

    bl_idname = "dreamfusion.generate"
    bl_label = "Generate"
    bl_options = {"REGISTER"}  # no UNDO: nothing changes in the file before the object arrives

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is an engine, and a prompt or the picture that the model is told."""
        if not engine_is_there(cls):
            return False
        chosen = scene_settings.of(context)
        shown, told = len(chosen.pictures.rows), model_card.is_told_picture(models.card(chosen.model))
        if told and shown != 1:
            cls.poll_message_set(translated(_ONE_PICTURE))
            return False
        if told and chosen.texture_model and not visible(chosen.prompt).strip():
            cls.poll_message_set(translated(_NO_WORDS_TO_PAINT))
            return False
        if models.asks_poses(chosen.model) and not picture_settings.poses_of(chosen.pictures):
            cls.poll_message_set(translated(_POSES))
            return False
        if not told and not visible(chosen.prompt).strip():
            cls.poll_message_set(translated(_NO_WORDS_FOR_PICTURES if shown else _NO_WORDS))
            return False
        return _can_start(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Queue a job with the sidebar's settings."""
        return _queue(self, context, [recipe(context)])


class DREAMFUSION_OT_queue_text(Operator):
    """Queue every line of the chosen text block as a prompt of its own"""

    bl_idname = "dreamfusion.queue_text"
    bl_label = "Queue All Lines"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is an engine and a text block that is not empty."""
        if not engine_is_there(cls):
            return False
        text = scene_settings.of(context).prompts
        if text is None or not any(visible(line.body).strip() for line in text.lines):
            cls.poll_message_set(translated("Choose a text block that has one prompt a line"))
            return False
        return _can_start(cls, context)

    def execute(self, context: Context) -> set[str]:
        """Queue a job for each line, in order. Lines that begin with # are left out."""
        lines = [visible(line.body).strip() for line in scene_settings.of(context).prompts.lines]
        prompts = [line for line in lines if line and not line.startswith("#")]
        wanted = [recipe(context, prompt[: scene_settings.PROMPT_LIMIT]) for prompt in prompts]
        if _queue(self, context, wanted) == {"CANCELLED"}:
            return {"CANCELLED"}
        self.report({"INFO"}, translated("Queued {count} prompts", count=len(prompts)))
        return {"FINISHED"}


def _can_start(operator: Any, context: Context) -> bool:
    """Whether what Placement says to start from, and the pictures, can be used. Else the button's hint says why not."""
    reason = start_obstacle(context) or pictures.obstacle(context)
    if reason:
        operator.poll_message_set(translated(reason))
    return not reason


def _queue(operator: Operator, context: Context, wanted: Sequence[Recipe]) -> set[str]:
    """Queue recipes for new objects, all with the same pictures and from what Placement says to start from."""
    try:
        place, source = beginning(context)
        said, files = pictures.read(context)
    except EngineTrouble as error:
        refuse(operator, error)
        return {"CANCELLED"}
    for what in wanted:
        what.pictures = said
        if not ask(operator, context, what, place, source, pictures=files):
            return {"CANCELLED"}  # the others lack the same file
    redraw.panels()
    return {"FINISHED"}


class DREAMFUSION_OT_pause(JobAction, Operator):
    """Hold the run before its next step, so that the device is free for a while"""

    bl_idname = "dreamfusion.pause"
    bl_label = "Pause"

    def act(self, _context: Context, job: Job) -> bool:
        """Ask the queue to hold the job."""
        session.current().queue.pause(job)
        return True


class DREAMFUSION_OT_resume_job(JobAction, Operator):
    """Go on from where the run stopped"""

    bl_idname = "dreamfusion.resume_job"
    bl_label = "Resume"

    def act(self, _context: Context, job: Job) -> bool:
        """Continue a paused, interrupted, cancelled or failed job."""
        if not job.can_resume and job.wish != "pause":  # a pause that the engine has not heard of yet is taken back
            self.report({"WARNING"}, translated("This job cannot be resumed"))
            return False
        session.current().queue.resume(job)
        return True


class DREAMFUSION_OT_cancel(JobAction, Operator):
    """Stop the run. What it has reached is kept, and can be resumed from the results"""

    bl_idname = "dreamfusion.cancel"
    bl_label = "Cancel"

    def act(self, _context: Context, job: Job) -> bool:
        """Ask the queue to stop a waiting or running job."""
        session.current().queue.cancel(job)
        return True


class DREAMFUSION_OT_finish(JobAction, Operator):
    """Stop training now and make the mesh or the texture from what there is"""

    bl_idname = "dreamfusion.finish"
    bl_label = "Stop Here and Keep It"

    @classmethod
    def poll(cls, _context: Context) -> bool:
        """Whether a run has made a step and its mesh is not being made yet."""
        job = session.current().running
        if job is None or job.state not in (JobState.RUNNING, JobState.PAUSED) or job.step < 1:
            cls.poll_message_set(translated("There is nothing to keep yet"))
            return False
        if job.stage not in ("", "load", "train"):
            cls.poll_message_set(translated("The mesh is being made already"))
            return False
        return True

    def act(self, _context: Context, job: Job) -> bool:
        """Ask the queue to end the training and make the mesh."""
        session.current().queue.finish(job)
        return True


class DREAMFUSION_OT_randomize_seed(Operator):
    """Choose another seed by chance"""

    bl_idname = "dreamfusion.randomize_seed"
    bl_label = "Randomize Seed"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Context) -> set[str]:
        """Set the scene's seed to a random number."""
        scene_settings.of(context).seed = random.SystemRandom().randint(0, scene_settings.SEED_LIMIT)
        return {"FINISHED"}


class DREAMFUSION_OT_reset_settings(Operator):
    """Set guidance, training, mesh, memory and lock back to what the model's recipe has in the chosen quality"""

    bl_idname = "dreamfusion.reset_settings"
    bl_label = "Reset to Recipe"
    bl_options = {"REGISTER", "UNDO"}

    stages: StringProperty(
        name="Stages",
        description="Which settings, such as 'optimize camera'. Empty is all",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether the artist has changed any setting."""
        if not artist_settings.changed(scene_settings.of(context)):
            cls.poll_message_set(translated("You have changed nothing of the model's recipe"))
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Give the settings of the chosen stages, or of all, back to the recipe."""
        artist_settings.reset(scene_settings.of(context), self.stages.split() or engine_preset.STAGES)
        return {"FINISHED"}


CLASSES = (
    DREAMFUSION_OT_generate,
    DREAMFUSION_OT_queue_text,
    DREAMFUSION_OT_pause,
    DREAMFUSION_OT_resume_job,
    DREAMFUSION_OT_cancel,
    DREAMFUSION_OT_finish,
    DREAMFUSION_OT_randomize_seed,
    DREAMFUSION_OT_reset_settings,
)
