"""What Blender is told about when the add-on is enabled, and what is taken back, in reverse, when it is disabled."""

from __future__ import annotations

import bpy

from . import (
    adapter_operators,
    adapter_settings,
    engine_settings,
    install_operator,
    job_operators,
    memory_settings,
    model_offer,
    panels,
    pictures,
    preferences,
    preferences_operators,
    presets,
    preview_object,
    pump,
    queue_list,
    results_panel,
    run_operators,
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
    queue_list,
    presets,
    run_operators,
    job_operators,
    model_offer,
    trouble_operators,
    install_operator,
    panels,
    setting_panels,
    results_panel,
)
CLASSES: tuple[type, ...] = tuple(cls for module in _MODULES for cls in module.CLASSES)


def register() -> None:
    """Register every class, give scenes and the window manager their properties, and start the timer."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    settings.attach()
    queue_list.attach()
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
    queue_list.detach()
    settings.detach()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
