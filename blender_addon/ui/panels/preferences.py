"""The layout of the add-on's preferences."""

from __future__ import annotations

from typing import Any

import rna_keymap_ui
from bpy.types import Context, UILayout

from ...core.phrase import phrase
from .. import keymap
from ..run import session
from ..settings import devices, engine_report, models, preferences
from ..translation import sentences, translated
from . import engine_box, model_downloads, trouble_box


def draw(layout: UILayout, context: Context, chosen: Any) -> None:
    """Draw engine, connection test, device, models and output.

    chosen: the preferences.
    """
    here = session.current()
    layout.use_property_split = True
    layout.use_property_decorate = False
    _engine(layout, context, chosen, here)
    _computing(layout, context, chosen)
    _models(layout, context, chosen)
    _results(layout, context, chosen)
    _shortcuts(layout, context, chosen)


def _results(layout: UILayout, context: Context, chosen: Any) -> None:
    box = layout.box()
    box.label(text=translated("Results"), translate=False, icon="FILE_FOLDER")
    column = box.column()
    column.enabled = not session.is_working()
    column.prop(chosen, "output")
    if not chosen.output:
        trouble_box.draw_text(
            column, context, phrase("Now: {folder}", folder=preferences.output_folder(chosen)), "BLANK1"
        )


def _engine(layout: UILayout, context: Context, chosen: Any, here: session.Session) -> None:
    box = layout.box()
    box.label(text=translated("Engine"), translate=False, icon="TOOL_SETTINGS")
    row = box.row()
    row.use_property_split = False  # the box says what it is, and the names need the room
    row.prop(chosen, "engine", expand=True)
    if chosen.engine == "python":
        box.prop(chosen, "python")
    elif chosen.engine == "command":
        box.prop(chosen, "command")
    if chosen.engine == "own" and here.setup.trouble is not None and here.setup.trouble.code == "setup.python":
        box.prop(chosen, "setup_python")
    if chosen.engine == "own" and (here.missing is not None or here.setup.state == "running"):
        engine_box.draw_setup(box, context, here)
        if here.setup.state != "running":
            box.prop(chosen, "setup_processor")
        return
    box.prop(chosen, "jobs_on")
    if chosen.jobs_on == "ray":
        box.prop(chosen, "cluster")
    if here.missing is not None:
        text = sentences(here.missing.what, here.missing.fix)
        trouble_box.draw_text(box, context, text, "ERROR", inset=trouble_box.BOX)
        return
    row = box.row()
    if here.probe is not None:
        row.label(text=translated("Asking the engine..."), translate=False, icon="TIME")
        row.operator("dreamfusion.test_connection", text="Stop", icon="X").stop = True
        return
    row.operator("dreamfusion.test_connection", icon="LINKED")
    if chosen.engine == "own":
        row.operator("dreamfusion.install_engine", text="Install Again...", icon="FILE_REFRESH")
    if here.report is None:
        return
    if here.report.trouble is not None:
        trouble_box.draw_trouble(box, context, here.report.trouble)
    else:
        trouble_box.draw_text(box, context, here.report.text, "CHECKMARK", inset=trouble_box.BOX)


def _computing(layout: UILayout, context: Context, chosen: Any) -> None:
    box = layout.box()
    box.label(text=translated("Computing"), translate=False, icon="MEMORY")
    box.prop(chosen, "device_choice")
    box.prop(chosen, "field_choice")
    if why := devices.explanation():
        trouble_box.draw_text(box, context, why, "INFO", inset=trouble_box.BOX)
    if not engine_report.devices():
        box.label(
            text=translated("Graphics cards show here once the engine has been started"), translate=False, icon="INFO"
        )
    row = box.row()
    row.prop(chosen, "keep_loaded", text="Keep Engine for (Minutes)")
    box.prop(chosen, "pause_rendering")
    box.prop(chosen, "judge")


def _models(layout: UILayout, context: Context, chosen: Any) -> None:
    box = layout.box()
    row = box.row()
    row.label(text=translated("Models"), translate=False, icon="ASSET_MANAGER")
    row.operator("dreamfusion.add_model", text="Add Model...", icon="ADD")
    for number, model in enumerate(chosen.models):
        line = box.row(align=True)
        line.use_property_split = False
        line.prop(model, "name", text="")
        line.prop(model, "path", text="")
        if word := models.experimental_text(models.card(model.path)):
            line.label(text=translated(word), translate=False)
        line.operator("dreamfusion.remove_model", text="", icon="X").index = number
        if models.is_file(model.path):
            box.prop(model, "base")
    model_downloads.draw(box, context, chosen)
    box.prop(chosen, "model_folder")
    box.prop(chosen, "token")


def _shortcuts(layout: UILayout, context: Context, chosen: Any) -> None:
    """Draw the entries of the keymap, which are closed at first. None has a key until the artist gives one."""
    box = layout.box()
    row = box.row()
    row.alignment = "LEFT"
    row.use_property_split = False
    icon = "TRIA_DOWN" if chosen.show_shortcuts else "TRIA_RIGHT"
    row.prop(chosen, "show_shortcuts", text="Shortcuts in the 3D View", icon=icon, emboss=False)
    if not chosen.show_shortcuts:
        return
    trouble_box.draw_text(box, context, "None is set at first. Press the field beside a name and then the keys")
    column = box.column()
    column.use_property_split = False
    for configuration, entries, entry in keymap.shown(context):
        column.context_pointer_set("keymap", entries)
        rna_keymap_ui.draw_kmi([], configuration, entries, entry, column, 0)
