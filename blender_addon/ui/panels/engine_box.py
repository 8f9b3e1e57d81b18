"""The panel while there is no engine: what it is, the button that installs it, and the progress of the installation."""

from __future__ import annotations

from bpy.types import Context, UILayout

from ...core.jobs.estimates import duration_text
from ...core.phrase import phrase
from ..run import session
from ..settings import preferences
from ..translation import translated
from . import trouble_box
from .run_box import bar


def draw_first_run(layout: UILayout, context: Context, here: session.Session) -> None:
    """Draw the panel of a Blender that has no engine yet."""
    if preferences.of().engine != "own" and here.missing is not None:
        trouble_box.draw_trouble(layout, context, here.missing)
        return
    if here.setup.state != "running":
        trouble_box.draw_text(
            layout,
            context,
            "Objects are made by the engine, a program of its own beside Blender. It is not installed yet.",
        )
    draw_setup(layout, context, here)
    column = layout.column()
    column.operator("dreamfusion.open_preferences", text="Use Another Engine...", icon="PREFERENCES")


def draw_setup(layout: UILayout, context: Context, here: session.Session) -> None:
    """Draw the button Install Engine, or the plan, or progress with log and cancel, or what went wrong."""
    setup = here.setup
    here.plan_wanted = True
    if setup.state == "running":
        _draw_running(layout, context, here)
        return
    if setup.trouble is not None:
        trouble_box.draw_trouble(layout, context, setup.trouble)
    else:
        if setup.state == "cancelled":
            layout.label(text=translated("The installation was cancelled"), translate=False, icon="INFO")
        row = layout.row()
        row.scale_y = 1.8
        row.operator("dreamfusion.install_engine", text="Install Engine...", icon="IMPORT")
    if setup.state == "examining":
        layout.label(text=translated("Looking at this computer..."), translate=False, icon="TIME")
    elif setup.plan is not None and setup.trouble is None:
        column = layout.column(align=True)
        for line in setup.plan.lines():
            trouble_box.draw_text(column, context, line, limit=8)


def _draw_running(layout: UILayout, context: Context, here: session.Session) -> None:
    setup = here.setup
    box = layout.box()
    box.label(text=translated("Installing the Engine"), translate=False, icon="IMPORT")
    row = box.row(align=True)
    row.scale_y = 1.4
    share = setup.fraction or 0.0
    bar(row, context, "setup_share", share, f"{share:.0%}")
    row.operator("dreamfusion.cancel_install", text="", icon="X")
    trouble_box.draw_text(
        box,
        context,
        phrase("{stage}, {time} so far", stage=setup.stage, time=duration_text(setup.elapsed_s)),
        limit=2,
        inset=trouble_box.BOX,
    )
    log = box.column(align=True)
    log.active = False
    for line in list(setup.log_tail)[-3:]:
        trouble_box.draw_text(log, context, line, limit=2, inset=trouble_box.BOX, translate=False)
    box.operator("dreamfusion.open_install_log", text="Open Log", icon="TEXT")
