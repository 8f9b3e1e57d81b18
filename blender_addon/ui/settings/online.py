"""Whether Blender may go to the internet."""

from __future__ import annotations

import bpy


def online() -> bool:
    """Whether Blender may go to the internet. Before 4.2 there is no such switch, and pressing the button is enough."""
    return bool(getattr(bpy.app, "online_access", True))


def offline_for_good() -> bool:
    """Whether Blender was started offline, so that the preference cannot change it."""
    return not online() and bool(getattr(bpy.app, "online_access_override", False))
