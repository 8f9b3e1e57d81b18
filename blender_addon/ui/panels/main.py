"""The sidebar tab: the prompt, the button that becomes a progress bar, and the latest pictures."""

from __future__ import annotations

from typing import Any

from bpy.types import Context, Panel, UILayout

from ...core import engine_preset, suggestions
from ...core.job import JobState
from ...core.phrase import phrase
from ..run import enqueue, session
from ..settings import artist_settings, models, scene_settings
from ..translation import is_foreign, sentences, translated
from . import adapter_list, contest_box, engine_box, texture_box, trouble_box
from .presets import DREAMFUSION_PT_presets
from .run_box import draw_end, draw_job, draw_pictures

TAB = "DreamFusion"


class Sidebar:
    """Where all panels of the add-on are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB


class DREAMFUSION_PT_main(Sidebar, Panel):
    """The tab's first panel."""

    bl_label = "DreamFusion"

    def draw_header_preset(self, _context: Context) -> None:
        """Draw the button with the saved presets."""
        if session.current().missing is None:
            DREAMFUSION_PT_presets.draw_panel_header(self.layout)

    def draw(self, context: Context) -> None:
        """Draw the installation, or else the prompt, the button, progress and pictures."""
        layout = self.layout
        here = session.current()
        if here.missing is not None or here.setup.state == "running":
            engine_box.draw_first_run(layout, context, here)
            return
        here.curious = here.curious or here.models is None
        chosen = scene_settings.of(context)
        for model in filter(None, (chosen.model, chosen.texture_model)):
            if models.is_untold(model):
                here.unknown_model = model
                here.puzzled.add(model)
        _prompt(layout, context)
        _button(layout, context, here)
        _news(layout, context, here)


CLASSES = (DREAMFUSION_PT_main,)


def _prompt(layout: UILayout, context: Context) -> None:
    chosen = scene_settings.of(context)
    layout.row(align=True).prop(chosen, "task", expand=True)
    paints = chosen.task == "TEXTURE"
    _words(
        layout,
        chosen,
        "prompt",
        phrase("What it is, such as 'a red mug'") if paints else phrase("What to make, such as 'a hamburger'"),
    )
    if not chosen.prompt:
        if is_foreign():
            text = phrase("Write prompts in English: the models know no other language")
            trouble_box.draw_text(layout, context, text, "INFO", limit=5)
        known = suggestions.knowledge(models.told(), chosen.model)
        if known:
            trouble_box.draw_text(layout, context, known, "INFO", limit=5)
    _words(layout, chosen, "negative", phrase("What it should not look like"))
    layout.prop(chosen, "model_choice", text="")
    card = models.card(chosen.model)
    _broken(layout, context, card)
    if models.experimental_text(card):
        text = phrase("This model is experimental: no settings are known to make objects with it reliably")
        trouble_box.draw_text(layout, context, text, "EXPERIMENTAL", limit=4)
    if not paints:
        row = layout.split(factor=0.34, align=True)  # Blender's own split cuts the label in a narrow sidebar
        row.label(text=translated("Texture"), translate=False)
        row.prop(chosen, "texture_choice", text="")
        if chosen.texture_model != chosen.model:
            _broken(layout, context, models.card(chosen.texture_model))
    adapter_list.draw(layout, context, chosen)
    row = layout.row(align=True)
    row.prop(chosen, "seed")
    row.operator("dreamfusion.randomize_seed", text="", icon="FILE_REFRESH")
    if not paints:
        layout.prop(chosen, "best_of")
    layout.row(align=True).prop(chosen, "preset", expand=True)


def _broken(layout: UILayout, context: Context, card: dict[str, Any] | None) -> None:
    """Draw why no run can use a model, where the engine says so. card: its line on it."""
    broken = models.trouble(card)
    if broken is not None:
        words = sentences(broken.what, trouble_box.in_blender(broken))
        trouble_box.draw_text(layout, context, words, "ERROR", limit=6)


def _words(layout: UILayout, chosen: Any, name: str, placeholder: str) -> None:
    """Draw a text field in the panel's whole width. Since Blender 4.1 the empty field shows a hint."""
    column = layout.column(align=True)
    column.label(text=translated("Prompt") if name == "prompt" else translated("Negative Prompt"), translate=False)
    try:
        column.prop(chosen, name, text="", placeholder=translated(placeholder))
    except TypeError:  # before Blender 4.1
        column.prop(chosen, name, text="")


def _button(layout: UILayout, context: Context, here: session.Session) -> None:
    chosen = scene_settings.of(context)
    _costs(layout, context, here)
    card = models.card(chosen.model)
    paints = chosen.task == "TEXTURE"
    wanted = (enqueue.texture_recipe if paints else enqueue.recipe)(context, chosen.prompt or "a")
    cost = here.estimates.of(wanted, here.queue.devices, card, models.card(wanted.texture_model))
    changed = artist_settings.changed(chosen)
    text = translated(cost.text)
    words = layout.column()
    words.active = False
    trouble_box.draw_text(words, context, text[:1].upper() + text[1:], "TIME", limit=3)
    if changed:
        row = words.row()
        row.label(text=translated("Settings changed"), translate=False, icon="BLANK1")
        row.operator("dreamfusion.reset_settings", text="", icon="LOOP_BACK", emboss=False)
    running = here.running
    if running is not None:
        draw_job(layout, context, here, running)
    if paints:
        texture_box.draw_choices(layout, context, chosen)
        texture_box.draw_button(layout, context, beside=running is not None)
    elif running is None:
        big = layout.row()
        big.scale_y = 1.8
        big.operator("dreamfusion.generate", icon="MESH_MONKEY")
    else:
        layout.operator("dreamfusion.generate", text="Add to Queue", icon="ADD")
    reason = "" if paints else enqueue.start_obstacle(context)
    if reason:
        trouble_box.draw_text(layout, context, reason, "INFO", limit=5)


def _costs(layout: UILayout, context: Context, here: session.Session) -> None:
    """Draw, under each quality, its cost on this device with the model and its recipe."""
    row = layout.grid_flow(row_major=True, columns=len(engine_preset.PRESETS), even_columns=True, align=True)
    row.active = False
    chosen = scene_settings.of(context)
    card, second = models.card(chosen.model), models.card(chosen.texture_model)
    for preset in engine_preset.PRESETS:
        cost = here.estimates.of(enqueue.of_preset(context, preset), here.queue.devices, card, second)
        cell = row.row()
        cell.alignment = "CENTER"
        cell.label(text=cost.short)


def _news(layout: UILayout, context: Context, here: session.Session) -> None:
    if here.notice:
        row = layout.box().row()
        trouble_box.draw_text(row.column(), context, here.notice, "INFO", inset=trouble_box.BOX + trouble_box.BUTTON)
        row.operator("dreamfusion.dismiss", text="", icon="X", emboss=False)
    trouble = here.trouble
    if trouble is None and (here.running is None or here.queue.held) and here.queue.engine_trouble != here.dismissed:
        trouble = here.queue.engine_trouble
    shown = here.shown
    if shown is not None and shown.state is JobState.FAILED and shown.trouble is not None:
        trouble_box.draw_trouble(layout, context, shown.trouble, shown)
    elif trouble is not None:
        trouble_box.draw_trouble(layout, context, trouble)
    if shown is None:
        return
    if shown.state in (JobState.CANCELLED, JobState.INTERRUPTED, JobState.DONE):
        draw_end(layout, context, shown)
    contest_box.draw(layout, context, shown)
    draw_pictures(layout, context, here, shown)
