"""Refine: run the engine on a finished object's own shape and colours."""

from __future__ import annotations

from typing import Any

from bpy.types import Context, Operator

from ...core.job import REFINE, EngineTrouble
from ..run import enqueue, refining
from ..scene import object_recipe, redraw, refine_source
from ..translation import translated
from .chosen_object import ChangingTool


class DREAMFUSION_OT_refine(ChangingTool, Operator):
    """Shape and colours together"""

    bl_idname = "dreamfusion.refine"
    bl_label = "Refine"
    bl_description = (
        "Improve the object's shape and texture together, by its own prompt and model. "
        "Also after it was sculpted or decimated"
    )
    bl_options = {"REGISTER"}  # no UNDO: nothing changes in the file before the mesh arrives

    @classmethod
    def poll(cls: Any, context: Context) -> bool:
        """Whether there is an engine, and an object that can be refined as it is."""
        if not super().poll(context) or not enqueue.engine_is_there(cls):
            return False
        reason = refine_source.obstacle(context.active_object)
        if reason:
            cls.poll_message_set(translated(reason))
        return not reason

    def execute(self, context: Context) -> set[str]:
        """Read the active object and queue a job for it."""
        obj = context.active_object
        made_by = object_recipe.read(obj)
        if made_by is None:
            self.report({"ERROR"}, translated("The recipe on the object is damaged, so that its prompt is not known"))
            return {"CANCELLED"}
        try:
            file, about = refine_source.read(context, obj)
        except EngineTrouble as error:
            enqueue.refuse(self, error)
            return {"CANCELLED"}
        place = {**enqueue.where(context), refining.ABOUT: about}
        if not enqueue.ask(self, context, refining.recipe(made_by), place, file, REFINE):
            return {"CANCELLED"}
        redraw.panels()
        self.report({"INFO"}, translated("'{name}' is queued to be refined", name=obj.name))
        return {"FINISHED"}


CLASSES = (DREAMFUSION_OT_refine,)
