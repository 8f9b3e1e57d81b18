"""Change Part: new colours for selected faces, or for a vertex group, a new shape too if asked, and nothing else."""

from __future__ import annotations

from bpy.props import EnumProperty, StringProperty
from bpy.types import Context, Event, Operator

from ...core.job import TEXTURE, EngineTrouble
from ...core.phrase import phrase
from ...core.visible_text import visible
from ..run import enqueue, painting, session
from ..scene import object_recipe, redraw
from ..scene.texture import part, surfaces
from ..settings import scene_settings
from ..translation import translated


class DREAMFUSION_OT_change_part(Operator):
    """Change the selected faces, or the active vertex group, by a prompt. All else stays as it is"""

    bl_idname = "dreamfusion.change_part"
    bl_label = "Change Part"
    bl_options = {"REGISTER"}  # no UNDO: nothing changes in the file before the texture arrives

    prompt: StringProperty(
        name="Whole Object",
        description="The whole object with the change, such as 'a white mug with a red handle'; not the part alone",
        options={"SKIP_SAVE"},
    )
    change: EnumProperty(
        name="Change",
        description="What of the part becomes another",
        items=(
            ("TEXTURE", "Texture", "The colours alone. Every vertex stays"),
            ("SHAPE", "Texture and Shape", "Colours and vertices. From the border of the part inwards they move more"),
        ),
        default="TEXTURE",
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is an engine, and a part that can change."""
        missing = session.current().missing is not None
        reason = phrase("Install the engine first: it makes the texture") if missing else part.obstacle(context)
        if reason:
            cls.poll_message_set(translated(reason))
        return not reason

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Ask for the prompt. It begins as that of the object, else as the sidebar's."""
        made_by = object_recipe.read(context.active_object) if object_recipe.is_result(context.active_object) else None
        self.prompt = made_by.prompt if made_by is not None else scene_settings.of(context).prompt
        return context.window_manager.invoke_props_dialog(self, width=420)

    def draw(self, _context: Context) -> None:
        """Draw the prompt, and what it should say."""
        self.layout.label(text=translated("Describe the whole object with the change:"), translate=False)
        self.layout.prop(self, "prompt", text="")
        self.layout.row(align=True).prop(self, "change", expand=True)

    def execute(self, context: Context) -> set[str]:
        """Read what is selected and queue a job for it."""
        prompt = self.prompt or scene_settings.of(context).prompt
        if not visible(prompt).strip():
            self.report({"ERROR"}, translated("Type a prompt first, such as 'a white mug with a red handle'"))
            return {"CANCELLED"}
        editing = context.mode == "EDIT_MESH"
        objects = part.chosen(context)
        try:
            with part.in_object_mode(context), part.marked(objects, faces=editing) as found:
                read = surfaces.read(context, found, new_uvs=False, part=True, shape=self.change == "SHAPE")
        except EngineTrouble as error:
            enqueue.refuse(self, error)
            return {"CANCELLED"}
        place = {**enqueue.where(context), painting.ABOUT: {**read.about, "material": "EXISTING"}}
        what = enqueue.texture_recipe(context, prompt)
        if self.change == "SHAPE":
            what.settings["paint"] = {**what.settings["paint"], "shape": True}
        if not enqueue.ask(self, context, what, place, read.file, TEXTURE):
            return {"CANCELLED"}
        if editing:
            self.report({"INFO"}, translated("Go back to Object Mode to see the part change"))
        redraw.panels()
        return {"FINISHED"}


CLASSES = (DREAMFUSION_OT_change_part,)
