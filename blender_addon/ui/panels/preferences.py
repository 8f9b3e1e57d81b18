"""The layout of the add-on's preferences."""

from __future__ import annotations

from typing import Any

from bpy.types import Context, UILayout

from ..run import session
from ..settings import engine_report, models, preferences
from . import engine_box, model_downloads, trouble_box


def draw(layout: UILayout, context: Context, chosen: Any) -> None:
    """Draw engine, connection test, device, models and output.

    chosen: the preferences.
    """
    here = session.current()
    layout.use_property_split = True
    layout.use_property_decorate = False
    _engine(layout, context, chosen, here)
    _computing(layout, chosen)
    _models(layout, context, chosen)
    box = layout.box()
    box.label(text="Results", icon="FILE_FOLDER")
    column = box.column()
    column.enabled = not session.is_working()
    column.prop(chosen, "output")
    if not chosen.output:
        trouble_box.draw_text(column, context, f"Now: {preferences.output_folder(chosen)}", "BLANK1")


def _engine(layout: UILayout, context: Context, chosen: Any, here: session.Session) -> None:
    box = layout.box()
    box.label(text="Engine", icon="TOOL_SETTINGS")
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
    if here.missing is not None:
        trouble_box.draw_text(box, context, f"{here.missing.what} {here.missing.fix}", "ERROR", inset=trouble_box.BOX)
        return
    row = box.row()
    if here.probe is not None:
        row.label(text="Asking the engine...", icon="TIME")
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


def _computing(layout: UILayout, chosen: Any) -> None:
    box = layout.box()
    box.label(text="Computing", icon="MEMORY")
    box.prop(chosen, "device_choice")
    if not engine_report.devices():
        box.label(text="Graphics cards show here once the engine has been started", icon="INFO")
    row = box.row()
    row.prop(chosen, "keep_loaded", text="Keep Engine for (Minutes)")
    box.prop(chosen, "pause_rendering")
    box.prop(chosen, "judge")


def _models(layout: UILayout, context: Context, chosen: Any) -> None:
    box = layout.box()
    row = box.row()
    row.label(text="Models", icon="ASSET_MANAGER")
    row.operator("dreamfusion.add_model", text="Add Model...", icon="ADD")
    for number, model in enumerate(chosen.models):
        line = box.row(align=True)
        line.use_property_split = False
        line.prop(model, "name", text="")
        line.prop(model, "path", text="")
        if word := models.experimental_text(models.card(model.path)):
            line.label(text=word)
        line.operator("dreamfusion.remove_model", text="", icon="X").index = number
        if models.is_file(model.path):
            box.prop(model, "base")
    model_downloads.draw(box, context, chosen)
    box.prop(chosen, "model_folder")
    box.prop(chosen, "token")
