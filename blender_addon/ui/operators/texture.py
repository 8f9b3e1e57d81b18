"""Texture This, and what its results can do."""

from __future__ import annotations

from bpy.types import Context, Operator

from ...core.job import TEXTURE, EngineTrouble, Job
from ...core.phrase import phrase
from ...core.visible_text import visible
from ..run import enqueue, painting, session
from ..scene import redraw
from ..scene.texture import paintable, surfaces
from ..settings import scene_settings
from ..translation import translated
from .job_action import InsertAction


def obstacle(context: Context) -> str:
    """Why Texture This cannot be pressed; "" if it can. Cheap."""
    if session.current().missing is not None:
        return phrase("Install the engine first: it makes the texture")
    return paintable.obstacle(context) or (
        "" if visible(scene_settings.of(context).prompt).strip() else phrase("Type a prompt first, such as 'a red mug'")
    )


class DREAMFUSION_OT_texture(Operator):
    """Make a new texture for the selected objects from the prompt. Their shape and everything else stays as it is"""

    bl_idname = "dreamfusion.texture"
    bl_label = "Texture This"
    bl_options = {"REGISTER"}  # no UNDO: nothing changes in the file before the texture arrives

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is an engine, a prompt, and something to paint."""
        reason = obstacle(context)
        if reason:
            cls.poll_message_set(translated(reason))
        return not reason

    def execute(self, context: Context) -> set[str]:
        """Read the selected objects and queue a job for them."""
        chosen = scene_settings.of(context).texture
        objects = paintable.chosen(context)
        try:
            read = surfaces.read(context, objects, new_uvs=chosen.uvs == "NEW")
        except EngineTrouble as error:
            enqueue.refuse(self, error)
            return {"CANCELLED"}
        place = {**enqueue.where(context), painting.ABOUT: {**read.about, "material": chosen.material}}
        if not enqueue.ask(self, context, enqueue.texture_recipe(context), place, read.file, TEXTURE):
            return {"CANCELLED"}
        others = paintable.left_out(context)
        if others:
            names = ", ".join(obj.name for obj in others)
            self.report({"WARNING"}, translated("Left out, because only meshes can be painted: {names}", names=names))
        redraw.panels()
        return {"FINISHED"}


class DREAMFUSION_OT_insert_copies(InsertAction, Operator):
    """Put the painted meshes into the scene as new objects, where the painted ones stood. These stay as they are"""

    bl_idname = "dreamfusion.insert_copies"
    bl_label = "Insert as New Object"

    def act(self, _context: Context, job: Job) -> bool:
        """Insert the painted meshes of a job that is done."""
        if job.result is None or not job.paints:
            self.report({"WARNING"}, translated("This job has no painted meshes yet"))
            return False
        try:
            painting.insert_copies(job)
        except EngineTrouble as error:
            enqueue.refuse(self, error)
            return False
        except OSError as error:
            self.report(
                {"ERROR"},
                translated("{result} cannot be read: {error}", result=job.result, error=error.strerror or error),
            )
            return False
        return True


CLASSES = (DREAMFUSION_OT_texture, DREAMFUSION_OT_insert_copies)
