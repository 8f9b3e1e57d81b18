"""The closed panels below the main one, for artists who want to change what a preset decides."""

from __future__ import annotations

from typing import Any

from bpy.types import Context, Panel, UILayout

from ...core import model_card
from ..run import session
from ..settings import artist_settings, models, scene_settings
from . import trouble_box
from .main import Sidebar


class _SettingPanel(Sidebar):
    """A panel that is closed at first, lies below the main panel, and needs an engine."""

    bl_parent_id = "DREAMFUSION_PT_main"
    bl_options = {"DEFAULT_CLOSED"}
    stages: tuple[str, ...] = ()  # of the engine's settings that are here
    of_shape = False  # whether they are about a new object's shape or place only
    layout: Any

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is an engine that the settings could be for, and they do something for what is made."""
        if cls.of_shape and scene_settings.of(context).task == "TEXTURE":
            return False
        return session.current().missing is None

    def draw_header_preset(self, context: Context) -> None:
        """Draw the button back to the recipe, where the artist changed something."""
        if any(stage in self.stages for stage, _ in artist_settings.changed(scene_settings.of(context))):
            button = self.layout.operator("dreamfusion.reset_settings", text="", icon="LOOP_BACK", emboss=False)
            button.stages = " ".join(self.stages)

    def note(self, context: Context) -> None:
        """Draw a note where the engine has not told its recipe for the model yet, as for folders and files."""
        chosen = scene_settings.of(context)
        tells = any(model_card.has_recipe(line) for line in models.known())
        card = models.card(chosen.model)
        if tells and not model_card.has_recipe(card) and models.trouble(card) is None:
            text = "The engine has a recipe for this model that is not known here. What you change goes before it"
            trouble_box.draw_text(self.layout, context, text, "INFO")

    def column(self, context: Context) -> UILayout:
        """A column with names left of the values; in a narrow sidebar the names are in the fields."""
        layout = self.layout
        layout.use_property_split = trouble_box.is_wide(context)
        layout.use_property_decorate = False
        return layout.column()


class DREAMFUSION_PT_guidance(_SettingPanel, Panel):
    """How the diffusion model teaches."""

    bl_label = "Guidance"
    stages = ("guidance",)

    def draw(self, context: Context) -> None:
        """Draw score, scale, noise range and view prompts."""
        self.note(context)
        chosen = scene_settings.of(context)
        guidance = chosen.guidance
        column = self.column(context)
        _choice(column, guidance, "score")
        mine = artist_settings.changed(chosen)
        card = models.card(chosen.model)
        unsure = card is not None and not model_card.tells_scores(card)  # an older engine does not tell
        if unsure and ("guidance", "score") in mine and ("guidance", "scale") not in mine:
            text = "The model's recipe may have another scale for this score. One that you set counts"
            trouble_box.draw_text(column, context, text, "INFO")
        column.prop(guidance, "scale")
        column.prop(guidance, "scale_kept")
        column.prop(guidance, "rescale")
        _pair(column, guidance, "t_max", "Noise Max Start", "End")
        _pair(column, guidance, "t_min", "Noise Min Start", "End")
        column.prop(guidance, "anneal_until")
        _choice(column, guidance, "annealing")
        _choice(column, guidance, "weighting")
        _choice(column, guidance, "view_prompts")
        _choice(column, guidance, "perp_neg")


class DREAMFUSION_PT_training(_SettingPanel, Panel):
    """Steps, cameras, regularisers."""

    bl_label = "Training"
    stages = ("camera", "optimize")

    def draw(self, context: Context) -> None:
        """Draw the training loop, the cameras, and the regularisers."""
        self.note(context)
        chosen = scene_settings.of(context)
        optimize, camera = chosen.optimize, chosen.camera
        column = self.column(context)
        column.prop(optimize, "steps")
        column.prop(optimize, "views")
        _pair(column, optimize, "resolution", "Resolution Start", "End")
        column.prop(optimize, "learning_rate")
        column.prop(optimize, "albedo_until")
        column.prop(optimize, "textureless")
        column.prop(optimize, "levels_until")
        column.prop(optimize, "gradient_clip")
        column = self.column(context)
        column.label(text="Cameras")
        _pair(column, camera, "distance", "Distance Min", "Max")
        _pair(column, camera, "fov_deg", "Field of View Min", "Max")
        _pair(column, camera, "elevation_deg", "Elevation Min", "Max")
        column.prop(camera, "target_jitter")
        column = self.column(context)
        column.label(text="Regularisers")
        column.prop(optimize, "orientation")
        column.prop(optimize, "smoothness")
        column.prop(optimize, "opacity")
        column.prop(optimize, "entropy")


class DREAMFUSION_PT_memory(_SettingPanel, Panel):
    """What the diffusion model may take of the memory."""

    bl_label = "Memory"
    stages = ("memory",)

    def draw(self, context: Context) -> None:
        """Draw the memory plan and the precision."""
        memory = scene_settings.of(context).memory
        column = self.column(context)
        column.prop(memory, "fit")
        _choice(column, memory, "precision")


class DREAMFUSION_PT_mesh(_SettingPanel, Panel):
    """From density to a mesh."""

    bl_label = "Mesh"
    of_shape = True
    stages = ("mesh",)

    def draw(self, context: Context) -> None:
        """Draw lattice, surface level, budget of triangles, and texture."""
        mesh = scene_settings.of(context).mesh
        column = self.column(context)
        column.prop(mesh, "triangles")
        _choice(column, mesh, "texture")
        column.prop(mesh, "smoothing")
        column.prop(mesh, "resolution")
        column.prop(mesh, "iso_auto")
        row = column.row()
        row.enabled = not mesh.iso_auto
        row.prop(mesh, "iso")
        column.prop(mesh, "min_part")
        column.prop(mesh, "padding")
        column.prop(mesh, "unwrap_seconds")


class DREAMFUSION_PT_placement(_SettingPanel, Panel):
    """Where the object goes."""

    bl_label = "Placement"
    of_shape = True

    def draw(self, context: Context) -> None:
        """Draw the placeholder, or else size and place."""
        placement = scene_settings.of(context).placement
        column = self.column(context)
        _choice(column, placement, "placeholder")
        if placement.placeholder is not None:
            _choice(column, placement, "after")
            return
        column.prop(placement, "size")
        _choice(column, placement, "where")
        column.prop(placement, "on_ground")


CLASSES = (
    DREAMFUSION_PT_guidance,
    DREAMFUSION_PT_training,
    DREAMFUSION_PT_mesh,
    DREAMFUSION_PT_memory,
    DREAMFUSION_PT_placement,
)


def _choice(layout: UILayout, group: Any, name: str) -> None:
    """Draw a menu with its name before it. In a narrow sidebar Blender itself would leave no room for the name."""
    if layout.use_property_split:
        layout.prop(group, name)
        return
    row = layout.split(factor=0.48)
    row.label(text=group.bl_rna.properties[name].name)
    row.prop(group, name, text="")


def _pair(layout: UILayout, group: Any, name: str, first: str, second: str) -> None:
    """Draw two numbers that belong together, one above the other."""
    column = layout.column(align=True)
    column.prop(group, name, index=0, text=first)
    column.prop(group, name, index=1, text=second)
