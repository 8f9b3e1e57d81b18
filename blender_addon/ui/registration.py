"""What Blender is told about when the add-on is enabled, and what is taken back, in reverse, when it is disabled."""

from __future__ import annotations

import bpy

from . import (
    adapter_operators,
    adapter_settings,
    download_operators,
    engine_report,
    engine_settings,
    install_operator,
    job_operators,
    job_rows,
    memory_settings,
    panels,
    pictures,
    preferences,
    preferences_operators,
    preferences_panel,
    presets,
    preview_object,
    pump,
    queue_list,
    results_panel,
    run_operators,
    session,
    setting_panels,
    settings,
    terminal,
    tools,
    trouble_operators,
)

# In the order in which they need each other: groups before those that point to them, a panel before its sub-panels.
_MODULES = (
    engine_settings,
    memory_settings,
    adapter_settings,
    settings,
    preferences,
    preferences_operators,
    adapter_operators,
    job_rows,
    queue_list,
    presets,
    run_operators,
    job_operators,
    download_operators,
    trouble_operators,
    install_operator,
    panels,
    setting_panels,
    results_panel,
)
CLASSES: tuple[type, ...] = tuple(cls for module in _MODULES for cls in module.CLASSES)


def connect() -> None:
    """Hand modules below what modules above them do: see `engine_report` and `preferences.Answers`."""
    engine_report.connect(session.current, session.begun)
    answers = preferences.answers
    answers.engine_moved, answers.output_moved = session.engine_moved, session.renew
    answers.keep_changed, answers.draw = session.keep_changed, preferences_panel.draw


def register() -> None:
    """Register every class, give scenes and the window manager their properties, and start the timer."""
    connect()
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    settings.attach()
    job_rows.attach()
    pictures.register()
    preview_object.register()
    tools.register()
    terminal.register()
    pump.start()


def unregister() -> None:
    """Take it all back. The engine, a test and an installation that still run are ended."""
    pump.stop()
    preview_object.remove_all()
    terminal.unregister()
    tools.unregister()
    preview_object.unregister()
    pictures.unregister()
    job_rows.detach()
    settings.detach()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
