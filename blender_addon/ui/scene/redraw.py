"""Asks Blender to draw the add-on's panels again. Only regions that can show them are redrawn."""

from __future__ import annotations

import bpy

_again = False  # whether the last call had news


def after(news: bool) -> None:
    """Draw again when there is news, and once more at the next call.

    Sub-panels need a second drawing to find their place.
    """
    global _again
    if news or _again:
        panels()
    _again = news


def panels() -> None:
    """Mark the sidebars of the 3D views for drawing, and the preferences where they are open."""
    manager = bpy.context.window_manager
    if manager is None:
        return
    for window in manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D" and area.spaces.active.show_region_ui:
                wanted = "UI"
            elif area.type == "PREFERENCES":
                wanted = "WINDOW"
            else:
                continue
            for region in area.regions:
                if region.type == wanted:
                    region.tag_redraw()
