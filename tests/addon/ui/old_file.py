"""For scripts inside Blender: a file with settings as the version before recipes stored them.

Those are values without any note of who set them. Choosing a preset wrote what presets decide, as numbers that stand
for the names of an enum.
"""

from __future__ import annotations

import os
from typing import Any

import addon
import bpy

path = os.path.join(os.environ["FOLDER"], "old.blend")


def stored(group: Any) -> Any:
    """Where Blender keeps an add-on's values; what is written here calls nothing."""
    return group.bl_system_properties_get(do_create=True) if bpy.app.version >= (5, 0) else group


def old(name: str, preset: str, model: str, **changes: Any) -> None:
    """A scene with old settings. changes: values by stage__key."""
    settings = bpy.data.scenes.new(name).dreamfusion
    stored(settings)["preset"] = ("draft", "standard", "high").index(preset)
    stored(settings)["model"] = model
    stored(settings)["prompt"] = "a mug of " + name
    plain = addon.part("core.engine_preset")
    for stage, key in plain.OF_PRESETS:
        stored(getattr(settings, stage))[key] = plain.preset_value(preset, stage, key)
    for dotted, value in changes.items():
        stage, key = dotted.split("__")
        stored(getattr(settings, stage))[key] = value


def told(when: str) -> None:
    """Tell what every scene's settings are now, as the fact `when`."""
    artist, plain = addon.part("ui.settings.artist_settings"), addon.part("core.engine_preset")
    scenes = {}
    for scene in bpy.data.scenes:
        settings = scene.dreamfusion
        scenes[scene.name] = {
            "changed": artist.overrides(settings),
            "values": plain.read(settings),
            "preset": settings.preset,
            "model": settings.model,
            "prompt": settings.prompt,
        }
    addon.tell(**{when: scenes})
