"""Whether Blender may go to the internet."""

from __future__ import annotations

import bpy


def online() -> bool:
    """Whether Blender may go to the internet. Before 4.2 it has no switch, and pressing the button is enough."""
    return bool(getattr(bpy.app, "online_access", True))


def offline_for_good() -> bool:
    """Whether Blender was started offline. The preference cannot change that."""
    return not online() and bool(getattr(bpy.app, "online_access_override", False))
