"""Tools for a finished object: Quads, Decimate, Mark as Asset, Turntable, Copy Recipe."""

from __future__ import annotations

import math

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy.types import Context, Event, Operator

from ..run import session
from ..scene import object_recipe
from ..translation import translated
from . import asset, decimate, main_menu, menu, quads, refinement, regeneration, texture_bake, turntable
from .chosen_object import ChangingTool, Tool
from .turntable import Orbit


class DREAMFUSION_OT_quads(ChangingTool, Operator):
    """Remesh by QuadriFlow into even quads and bake the texture anew; takes some seconds"""

    bl_idname = "dreamfusion.quads"
    bl_label = "Quads"
    bl_description = "Make an even mesh of quads out of the object, and bake its texture anew. Takes some seconds"
    bl_options = {"REGISTER", "UNDO"}

    faces: IntProperty(
        name="Faces", description="About how many quads to make", default=4000, min=50, soft_max=20_000, max=200_000
    )
    bake: BoolProperty(
        name="Bake Texture",
        description="Give the quads new UVs and bake the colours into a new image, with Cycles. "
        "Without it the quads have no UVs, and so no texture",
        default=True,
    )
    size: EnumProperty(
        name="Texture",
        description="Size of the new image",
        items=(
            ("0", "As Before", "As large as the present image"),
            ("512", "512", "512 x 512 pixels"),
            ("1024", "1024", "1024 x 1024 pixels"),
            ("2048", "2048", "2048 x 2048 pixels"),
            ("4096", "4096", "4096 x 4096 pixels"),
        ),
        default="0",
    )
    keep_original: BoolProperty(
        name="Keep Original", description="Keep the present mesh as a hidden object", default=True
    )

    def invoke(self, context: Context, _event: Event) -> set[str]:
        """Ask for the settings first, because remeshing takes a while."""
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, _context: Context) -> None:
        """Draw the settings in the dialog."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "faces")
        layout.prop(self, "bake")
        row = layout.row()
        row.enabled = self.bake
        row.prop(self, "size")
        layout.prop(self, "keep_original")
        if self.bake and not texture_bake.can_bake():
            layout.label(
                text=translated("Baking needs the Cycles add-on, which is disabled"), translate=False, icon="ERROR"
            )

    def execute(self, context: Context) -> set[str]:
        """Remesh the active object, and report the number of quads and what became of the texture."""
        _wait_cursor(context, True)
        try:
            made = quads.remesh(
                context,
                context.active_object,
                self.faces,
                keep_original=self.keep_original,
                bake=self.bake,
                pixels=int(self.size),
            )
        except quads.QuadsFailed as failure:
            self.report({"ERROR"}, translated("No quads were made. {failure}", failure=failure.args[0]))
            return {"CANCELLED"}
        finally:
            _wait_cursor(context, False)
        self.report(
            {"INFO"} if made.textured else {"WARNING"},
            translated("{faces:,} quads. {texture}", faces=made.faces, texture=made.texture),
        )
        return {"FINISHED"}


class DREAMFUSION_OT_decimate(ChangingTool, Operator):
    """Fewer triangles, same UVs and texture"""

    bl_idname = "dreamfusion.decimate"
    bl_label = "Decimate"
    bl_description = "Reduce the number of triangles. UVs and texture stay"
    bl_options = {"REGISTER", "UNDO"}

    ratio: FloatProperty(
        name="Ratio",
        description="How many of the triangles to keep",
        default=0.5,
        min=0.01,
        max=1.0,
        subtype="FACTOR",
    )

    def execute(self, context: Context) -> set[str]:
        """Replace the active object's mesh by one with fewer triangles."""
        before = decimate.triangles(context.active_object)
        after = decimate.reduce(context, context.active_object, self.ratio)
        self.report({"INFO"}, translated("{after:,} of {before:,} triangles", after=after, before=before))
        return {"FINISHED"}


class DREAMFUSION_OT_mark_asset(ChangingTool, Operator):
    """To the Asset Browser"""

    bl_idname = "dreamfusion.mark_asset"
    bl_label = "Mark as Asset"
    bl_description = (
        "Show the object in the Asset Browser: in the catalog DreamFusion, with the engine's picture, "
        "and tags and a description from the recipe"
    )
    bl_options = {"REGISTER", "UNDO"}

    author: StringProperty(name="Author", description="Who made the asset. Empty leaves what there is")
    license: StringProperty(
        name="License", description="What others may do with the asset, such as 'CC-BY-4.0'. Empty leaves what there is"
    )
    copyright: StringProperty(name="Copyright", description="Such as '2026 Your Name'. Empty leaves what there is")

    def execute(self, context: Context) -> set[str]:
        """Make the active object an asset, with a preview, and write the catalog beside the .blend."""
        obj = context.active_object
        made_by = object_recipe.read(obj)
        if made_by is None:
            self.report({"ERROR"}, translated("The recipe on the object is damaged. Use Blender's own Mark as Asset"))
            return {"CANCELLED"}
        job = session.current().job(object_recipe.job_id(obj)) if session.begun() else None
        its_own = job is not None and job.outcome.seed == made_by.seed  # a contest's picture is the winner's
        picture = asset.picture_of(job.thumbnail if job is not None and its_own else None)
        asset.mark(obj, made_by, picture, asset.Rights(self.author, self.license, self.copyright))
        if picture is None and not bpy.app.background:  # without a window there may be nothing to draw it with
            obj.asset_generate_preview()
        missing = asset.ensure_catalog(context)
        self.report(
            {"WARNING"} if missing else {"INFO"},
            translated(missing) or translated("In the Asset Browser, catalog DreamFusion"),
        )
        return {"FINISHED"}


class DREAMFUSION_OT_turntable(Tool, Operator):
    """Camera and lights that go round the object"""

    bl_idname = "dreamfusion.turntable"
    bl_label = "Turntable"
    bl_description = "Add a camera and three lights that go once round the object, in a collection of their own"
    bl_options = {"REGISTER", "UNDO"}

    frames: IntProperty(name="Frames", description="Length of one turn", default=120, min=2, soft_max=500)
    elevation: FloatProperty(
        name="Elevation",
        description="Height of the camera over the object's middle, as an angle",
        default=math.radians(15.0),
        min=math.radians(-85.0),
        max=math.radians(85.0),
        subtype="ANGLE",
    )
    lens: FloatProperty(
        name="Focal Length", description="Of the camera, in millimetres", default=50.0, min=10.0, soft_max=200.0
    )
    render: BoolProperty(
        name="Use for Rendering",
        description="Make it the scene's camera, and one turn the frames that are rendered",
        default=True,
    )

    def execute(self, context: Context) -> set[str]:
        """Build the rig, and make the scene render by it if that is chosen."""
        orbit = Orbit(frames=self.frames, elevation=self.elevation, lens=self.lens)
        collection = turntable.build(context, context.active_object, orbit)
        if self.render:
            turntable.use(context, collection, orbit)
        self.report(
            {"INFO"},
            translated("Press Render Animation to film it")
            if self.render
            else translated("'{name}' added", name=collection.name),
        )
        return {"FINISHED"}


class DREAMFUSION_OT_copy_recipe(Tool, Operator):
    """The recipe as text"""

    bl_idname = "dreamfusion.copy_recipe"
    bl_label = "Copy Recipe"
    bl_description = "Copy what made the object to the clipboard: prompt, seed, model, settings and versions"
    bl_options = {"REGISTER"}

    def execute(self, context: Context) -> set[str]:
        """Put the active object's recipe on the clipboard."""
        made_by = object_recipe.read(context.active_object)
        if made_by is None:
            self.report({"ERROR"}, translated("The recipe on the object is damaged, so that it cannot be read"))
            return {"CANCELLED"}
        context.window_manager.clipboard = object_recipe.as_text(made_by)
        self.report({"INFO"}, translated("The recipe is on the clipboard"))
        return {"FINISHED"}


class DREAMFUSION_OT_show_material_preview(Operator):
    """The viewport with colours"""

    bl_idname = "dreamfusion.show_material_preview"
    bl_label = "Show Material Preview"
    bl_description = "Switch this 3D view to Material Preview, where textures and vertex colours are seen"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether this is a 3D view without colours."""
        space = context.space_data
        return space is not None and space.type == "VIEW_3D" and space.shading.type in {"SOLID", "WIREFRAME"}

    def execute(self, context: Context) -> set[str]:
        """Switch this view's shading to Material Preview."""
        context.space_data.shading.type = "MATERIAL"
        return {"FINISHED"}


def _wait_cursor(context: Context, on: bool) -> None:
    if context.window is not None and not bpy.app.background:
        context.window.cursor_set("WAIT" if on else "DEFAULT")


CLASSES = (
    DREAMFUSION_OT_quads,
    DREAMFUSION_OT_decimate,
    DREAMFUSION_OT_mark_asset,
    DREAMFUSION_OT_turntable,
    DREAMFUSION_OT_copy_recipe,
    DREAMFUSION_OT_show_material_preview,
    *regeneration.CLASSES,
    *refinement.CLASSES,
    *menu.CLASSES,
    *main_menu.CLASSES,
)


def register() -> None:
    """Register the tools, and add them to Blender's menus."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    menu.attach()
    main_menu.attach()


def unregister() -> None:
    """Remove the tools and their menus."""
    main_menu.detach()
    menu.detach()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
