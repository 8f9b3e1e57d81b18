"""Change Part: new colours for selected faces, or for a vertex group, and nothing else."""

from __future__ import annotations

from bpy.props import StringProperty
from bpy.types import Context, Event, Operator

from ...core.job import TEXTURE, EngineTrouble
from ...core.visible_text import visible
from ..run import enqueue, painting, session
from ..scene import object_recipe, part, redraw, surfaces
from ..settings import scene_settings


class DREAMFUSION_OT_change_part(Operator):
    """Paint the selected faces, or the active vertex group, anew from a prompt. All other colours stay as they are"""

    bl_idname = "dreamfusion.change_part"
    bl_label = "Change Part"
    bl_options = {"REGISTER"}  # no UNDO: nothing changes in the file before the texture arrives

    prompt: StringProperty(
        name="Whole Object",
        description="The whole object with the change, such as 'a white mug with a red handle'; not the part alone",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is an engine, and a part that can change."""
        missing = session.current().missing is not None
        reason = "Install the engine first: it makes the texture" if missing else part.obstacle(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Ask for the prompt. It begins as that of the object, else as the sidebar's."""
        made_by = object_recipe.read(context.active_object) if object_recipe.is_result(context.active_object) else None
        self.prompt = made_by.prompt if made_by is not None else scene_settings.of(context).prompt
        return context.window_manager.invoke_props_dialog(self, width=420)

    def draw(self, _context: Context) -> None:
        """Draw the prompt, and what it should say."""
        self.layout.label(text="Describe the whole object with the change:")
        self.layout.prop(self, "prompt", text="")

    def execute(self, context: Context) -> set[str]:
        """Read what is selected and queue a job for it."""
        prompt = self.prompt or scene_settings.of(context).prompt
        if not visible(prompt).strip():
            self.report({"ERROR"}, "Type a prompt first, such as 'a white mug with a red handle'")
            return {"CANCELLED"}
        editing = context.mode == "EDIT_MESH"
        objects = part.chosen(context)
        try:
            with part.in_object_mode(context), part.marked(objects, faces=editing) as found:
                read = surfaces.read(context, found, new_uvs=False, part=True)
        except EngineTrouble as error:
            session.current().trouble = error.trouble
            self.report({"ERROR"}, str(error))
            redraw.panels()
            return {"CANCELLED"}
        place = {**enqueue.where(context), painting.ABOUT: {**read.about, "material": "EXISTING"}}
        if not enqueue.ask(self, context, enqueue.texture_recipe(context, prompt), place, read.file, TEXTURE):
            return {"CANCELLED"}
        if editing:
            self.report({"INFO"}, "Go back to Object Mode to see the part change")
        redraw.panels()
        return {"FINISHED"}


CLASSES = (DREAMFUSION_OT_change_part,)
