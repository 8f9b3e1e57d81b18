"""Registers everything with Blender when the add-on is enabled, and removes it in reverse order when it is disabled."""

from __future__ import annotations

import bpy

from . import keymap, manual, translation
from .operators import adapters, contest, download, install, job, part, pictures, run, texture, trouble
from .operators import preferences as preferences_operators
from .panels import job_list, main, presets, results
from .panels import pictures as pictures_panel
from .panels import preferences as preferences_panel
from .panels import settings as setting_panels
from .run import command, job_rows, session, timer
from .scene import icons, preview_object
from .scene.texture import texture_preview
from .settings import (
    adapter_settings,
    engine_report,
    engine_settings,
    picture_settings,
    preferences,
    scene_settings,
    texture_settings,
)
from .tools import operators as tools

# Groups come before the classes that point to them, and a panel before its sub-panels.
_MODULES = (
    engine_settings,
    adapter_settings,
    texture_settings,
    picture_settings,
    scene_settings,
    preferences,
    preferences_operators,
    adapters,
    job_rows,
    job_list,
    presets,
    run,
    pictures,
    texture,
    part,
    job,
    contest,
    download,
    trouble,
    install,
    main,
    pictures_panel,
    setting_panels,
    results,
)
CLASSES: tuple[type, ...] = tuple(cls for module in _MODULES for cls in module.CLASSES)


def connect() -> None:
    """Hand lower modules the functions of upper ones: see `engine_report` and `preferences.Answers`."""
    engine_report.connect(session.current, session.begun)
    answers = preferences.answers
    answers.engine_moved, answers.output_moved = session.engine_moved, session.renew
    answers.keep_changed, answers.draw = session.keep_changed, preferences_panel.draw


def register() -> None:
    """Register every class, give scenes and the window manager their properties, and start the timer."""
    connect()
    translation.register()
    translation.own_words((*CLASSES, *tools.CLASSES))
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    scene_settings.attach()
    job_rows.attach()
    icons.register()
    preview_object.register()
    texture_preview.register()
    tools.register()
    command.register()
    keymap.register()
    manual.register()
    timer.start()


def unregister() -> None:
    """Undo `register`. An engine, a test and an installation that still run are ended."""
    timer.stop()
    preview_object.remove_all()
    texture_preview.remove_all()
    manual.unregister()
    keymap.unregister()
    command.unregister()
    tools.unregister()
    texture_preview.unregister()
    preview_object.unregister()
    icons.unregister()
    job_rows.detach()
    scene_settings.detach()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
    translation.unregister()
