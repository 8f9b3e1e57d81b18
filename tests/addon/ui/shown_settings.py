"""For scripts inside Blender: the settings that the panels show, and what of them the artist changed."""

from __future__ import annotations

from typing import Any

import addon


def told(run: Any, name: str) -> None:
    """Tell both as the fact `name`. run: a Run of pumping.py."""
    preset, artist = addon.part("core.engine_preset"), addon.part("ui.settings.artist_settings")
    addon.tell(**{name: {"values": preset.read(run.settings), "changed": artist.overrides(run.settings)}})
