"""DreamFusion for Blender: type a prompt, watch the object grow, get a textured mesh.

`core/` uses the standard library only and never imports bpy. `ui/` is the part that does. This file imports neither, so
the core can be used and tested without Blender.
"""

from __future__ import annotations

from types import ModuleType

bl_info = {
    "name": "DreamFusion",
    "description": "From a text prompt to a textured mesh",
    "author": "DreamFusion for Blender contributors",
    "version": (0, 2, 0),
    "blender": (3, 4, 0),
    "location": "3D View > Sidebar > DreamFusion",
    "category": "Add Mesh",
}

ADDON = __package__  # under which Blender keeps the preferences: "dreamfusion", or "bl_ext.<repository>.dreamfusion"


def register() -> None:
    """Register the add-on. Blender calls this when it is enabled."""
    _registration().register()


def unregister() -> None:
    """Undo `register`. Blender calls this when the add-on is disabled, and before Reload Scripts."""
    _registration().unregister()


def _registration() -> ModuleType:
    """What registers the add-on; of a damaged copy, what says so in the sidebar."""
    from .core.declared_settings import ENGINE

    if ENGINE.trouble:
        from .ui import damaged

        return damaged
    from .ui import registration

    return registration
