"""The closed panels below the main one, for artists who want to change what a preset decides."""

from __future__ import annotations

from typing import Any

from bpy.types import Context, Panel, UILayout

from ...core import engine_preset, model_card
from ...core.declared_settings import Declared
from ...core.engine_preset import SETTINGS
from ...core.job import START
from ...core.phrase import phrase
from ..run import enqueue, session
from ..scene import blockout
from ..settings import artist_settings, models, scene_settings
from ..translation import translated
from . import texture_box, trouble_box
from .main import Sidebar

_FIRST = ("score",)  # on which the note below it depends


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
            text = phrase(
                "The engine has a recipe for this model that is not known here. What you change goes before it"
            )
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
        column = self.column(context)
        _settings(column, chosen, "guidance", only=_FIRST)
        mine = artist_settings.changed(chosen)
        card = models.card(chosen.model)
        unsure = card is not None and not model_card.tells_scores(card)  # an older engine does not tell
        if unsure and ("guidance", "score") in mine and ("guidance", "scale") not in mine:
            text = phrase("The model's recipe may have another scale for this score. One that you set counts")
            trouble_box.draw_text(column, context, text, "INFO")
        _settings(column, chosen, "guidance", leave_out=_FIRST)


class DREAMFUSION_PT_training(_SettingPanel, Panel):
    """Steps, cameras, regularisers."""

    bl_label = "Training"
    stages = ("camera", "optimize")

    def draw(self, context: Context) -> None:
        """Draw the training loop, the cameras, and the regularisers."""
        self.note(context)
        chosen = scene_settings.of(context)
        _settings(self.column(context), chosen, "optimize")
        column = self.column(context)
        column.label(text=translated("Cameras"), translate=False)
        _settings(column, chosen, "camera")
        for heading in _headings("optimize"):
            column = self.column(context)
            column.label(text=translated(heading), translate=False)
            _settings(column, chosen, "optimize", heading)


class DREAMFUSION_PT_memory(_SettingPanel, Panel):
    """What the diffusion model may take of the memory."""

    bl_label = "Memory"
    stages = ("memory",)

    def draw(self, context: Context) -> None:
        """Draw the memory plan and the precision."""
        _settings(self.column(context), scene_settings.of(context), "memory")


class DREAMFUSION_PT_mesh(_SettingPanel, Panel):
    """The object's symmetry, and the way from density to a mesh."""

    bl_label = "Mesh"
    of_shape = True
    stages = ("field", "mesh")

    def draw(self, context: Context) -> None:
        """Draw symmetry, lattice, surface level, budget of triangles, and texture."""
        _settings(self.column(context), scene_settings.of(context), "field")
        _settings(self.column(context), scene_settings.of(context), "mesh")


class DREAMFUSION_PT_placement(_SettingPanel, Panel):
    """Where the object goes."""

    bl_label = "Placement"
    of_shape = True
    stages = (START,)

    def draw(self, context: Context) -> None:
        """Draw the mesh to start from, or else the placeholder, or else size and place."""
        chosen = scene_settings.of(context)
        placement = chosen.placement
        column = self.column(context)
        column.label(text=translated("Start From"), translate=False)
        row = column.row(align=True)
        for item in type(placement).bl_rna.properties["start_from"].enum_items:
            row.prop_enum(placement, "start_from", item.identifier, text=translated(item.name), translate=False)
        if placement.start_from != "NOTHING":
            self.draw_start(context, column)
            return
        _choice(column, placement, "placeholder")
        if placement.placeholder is not None:
            _choice(column, placement, "after")
            return
        column.prop(placement, "size")
        _choice(column, placement, "where")
        column.prop(placement, "on_ground")

    def draw_start(self, context: Context, column: UILayout) -> None:
        """Draw the choices for an object that begins from a mesh, and what is in the way of that."""
        chosen = scene_settings.of(context)
        placement = chosen.placement
        if placement.start_from == "OBJECT":
            _choice(column, placement, "blockout")
        else:
            objects = blockout.chosen(context, placement.start_from, None)
            text = texture_box.selection_text([obj.name for obj in objects])
            column.label(text=text, icon="OBJECT_DATA", translate=False)
        _settings(column, chosen, START)
        _choice(column, placement, "front")
        column.prop(placement, "hide_blockout")
        reason = enqueue.start_obstacle(context)
        if reason:
            trouble_box.draw_text(column, context, reason, "INFO", limit=5)


CLASSES = (
    DREAMFUSION_PT_guidance,
    DREAMFUSION_PT_training,
    DREAMFUSION_PT_mesh,
    DREAMFUSION_PT_memory,
    DREAMFUSION_PT_placement,
)


def _headings(stage: str) -> tuple[str, ...]:
    """The headings of a stage's settings, without that of the first ones, which have none."""
    return tuple(dict.fromkeys(about.group for about in SETTINGS[stage].values() if about.group))


def _settings(
    layout: UILayout,
    settings: Any,
    stage: str,
    heading: str = "",
    *,
    only: tuple[str, ...] = (),
    leave_out: tuple[str, ...] = (),
) -> None:
    """Draw the settings of a stage that are under a heading, in the engine's order; `only` some, or all but some.

    Those that do nothing with the chosen method are left out.
    """
    group, idle = getattr(settings, stage), models.idle(settings)
    for key, about in SETTINGS[stage].items():
        if {stage, f"{stage}.{key}"} & idle:
            continue
        if about.group == heading and key not in leave_out and (not only or key in only):
            _setting(layout, group, key, about)


def _setting(layout: UILayout, group: Any, key: str, about: Declared) -> None:
    """Draw one setting by its type."""
    if about.count == 2:
        label = translated(about.label)
        if about.rising:
            _pair(layout, group, key, translated("{setting} Min", setting=label), translated("Max"))
        else:
            _pair(layout, group, key, translated("{setting} Start", setting=label), translated("End"))
    elif about.word:
        switch = engine_preset.switch(key, about.word)
        layout.prop(group, switch, text=translated(about.words[about.word][0]), translate=False)
        row = layout.row()
        row.enabled = not getattr(group, switch)
        row.prop(group, key, text=translated(about.label), translate=False)
    elif about.value_type == "choice" or about.sizes:
        _choice(layout, group, key)
    else:
        layout.prop(group, key, text=translated(about.label), translate=False)


def _choice(layout: UILayout, group: Any, name: str) -> None:
    """Draw a menu with its name before it. In a narrow sidebar Blender itself would leave no room for the name."""
    if layout.use_property_split:
        layout.prop(group, name)
        return
    row = layout.split(factor=0.48)
    row.label(text=translated(group.bl_rna.properties[name].name), translate=False)
    row.prop(group, name, text="")


def _pair(layout: UILayout, group: Any, name: str, first: str, second: str) -> None:
    """Draw two numbers that belong together, one above the other."""
    column = layout.column(align=True)
    column.prop(group, name, index=0, text=first, translate=False)
    column.prop(group, name, index=1, text=second, translate=False)
