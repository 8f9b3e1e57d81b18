"""Install Engine: shows what would be downloaded and where, asks, and starts; with cancel and the log."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import bpy
from bpy.types import Context, Event, Operator

from ...core.phrase import phrase
from ...core.setup.installation import EngineSetup
from ..run import session
from ..settings import online, preferences
from ..translation import translated

_COLUMNS = 72  # characters that fit the dialog, 460 pixels wide


def _setup() -> EngineSetup:
    """The session's installation, with the Python and the device that the artist may have chosen."""
    setup, chosen = session.current().setup, preferences.of()
    setup.preferred_python = bpy.path.abspath(getattr(chosen, "setup_python", ""))
    setup.take_torch("cpu" if getattr(chosen, "setup_processor", False) else "auto")
    return setup


class DREAMFUSION_OT_install_engine(Operator):
    """Download the engine's packages and make its own Python environment, apart from Blender's."""

    bl_idname = "dreamfusion.install_engine"
    bl_label = "Install Engine..."
    bl_description = "Download the engine's packages into a folder of their own. Blender's Python stays as it is"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context: Context) -> bool:
        setup = session.current().setup
        if setup.state == "running":
            cls.poll_message_set(translated("The engine is being installed"))
            return False
        if setup.state in ("idle", "examining"):
            cls.poll_message_set(translated("Looking for a Python that the engine can run on"))
            return setup.state == "idle"
        return True

    def invoke(self, context: Context, _event: Event) -> set[str]:
        setup = _setup()
        if setup.plan is None:
            setup.examine()
            self.report({"INFO"}, translated("Looking at this machine; press again in a moment"))
            return {"CANCELLED"}
        return context.window_manager.invoke_props_dialog(self, width=460)

    def draw(self, _context: Context) -> None:
        column = self.layout.column(align=True)
        setup = session.current().setup
        for paragraph in setup.plan.lines() if setup.plan is not None else ():
            for line in textwrap.wrap(translated(paragraph), _COLUMNS):
                column.label(text=line, translate=False)
        self.layout.label(text=translated("Blender can be used meanwhile."), translate=False, icon="INFO")
        if online.offline_for_good():
            self.layout.label(
                text=translated("Blender was started offline. Start it without --offline-mode."),
                translate=False,
                icon="ERROR",
            )
        elif not online.online():
            self.layout.label(
                text=translated("Blender is not allowed to go online yet."), translate=False, icon="ERROR"
            )
            self.layout.operator(
                "extensions.userpref_allow_online_popup", text=translated("Allow Online Access..."), translate=False
            )

    def execute(self, _context: Context) -> set[str]:
        if not online.online():
            why = phrase("Blender is not allowed to go online: Preferences > System > Network")
            if online.offline_for_good():
                why = phrase("Blender is not allowed to go online: start it without --offline-mode")
            self.report({"ERROR"}, translated(why))
            return {"CANCELLED"}
        _setup().start()
        self.report({"INFO"}, translated("Installing the engine; its progress is in the sidebar"))
        return {"FINISHED"}


class DREAMFUSION_OT_look_again(Operator):
    """Look again for a Python that the engine can run on, and for room on the disk."""

    bl_idname = "dreamfusion.look_again"
    bl_label = "Look Again"
    bl_description = "Look again for a Python that fits, and for room on the disk"
    bl_options = {"REGISTER", "INTERNAL"}

    def execute(self, _context: Context) -> set[str]:
        _setup().examine()
        return {"FINISHED"}


class DREAMFUSION_OT_cancel_install(Operator):
    """Stop the installation. What was downloaded is kept for the next try."""

    bl_idname = "dreamfusion.cancel_install"
    bl_label = "Cancel Installation"
    bl_description = "Stop the installation. What is half made is never used, and made anew next time"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, _context: Context) -> bool:
        return session.current().setup.state == "running"

    def execute(self, _context: Context) -> set[str]:
        session.current().setup.cancel()
        self.report({"WARNING"}, translated("The installation is being stopped"))
        return {"FINISHED"}


class DREAMFUSION_OT_open_install_log(Operator):
    """Open the log of the installation."""

    bl_idname = "dreamfusion.open_install_log"
    bl_label = "Open Log"
    bl_description = "Open the file with everything that the installation printed"
    bl_options = {"REGISTER", "INTERNAL"}

    @classmethod
    def poll(cls, _context: Context) -> bool:
        if session.current().setup.log_path is None:
            cls.poll_message_set(translated("Nothing has been installed, so there is no log"))
            return False
        return True

    def execute(self, _context: Context) -> set[str]:
        path = session.current().setup.log_path
        open_path: Callable[..., Any] = bpy.ops.wm.path_open
        return open_path(filepath=str(path)) if path is not None else {"CANCELLED"}


CLASSES = (
    DREAMFUSION_OT_install_engine,
    DREAMFUSION_OT_look_again,
    DREAMFUSION_OT_cancel_install,
    DREAMFUSION_OT_open_install_log,
)
