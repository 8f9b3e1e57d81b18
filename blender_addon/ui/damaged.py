"""What the sidebar shows in place of everything else where a file of the add-on is missing or damaged."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.types import Context, Panel

from ..core.declared_settings import ENGINE


class DREAMFUSION_PT_damaged(Panel):
    """The only panel of a damaged add-on."""

    bl_label = "DreamFusion"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "DreamFusion"
    layout: Any

    def draw(self, _context: Context) -> None:
        """Draw what is wrong, why, and what to do."""
        column = self.layout.column(align=True)
        column.label(text="This copy of the add-on is damaged", icon="ERROR")
        column.label(text=ENGINE.trouble)
        column.label(text="Install the add-on again, then restart Blender")


def register() -> None:
    """Register the panel."""
    bpy.utils.register_class(DREAMFUSION_PT_damaged)


def unregister() -> None:
    """Remove the panel again."""
    bpy.utils.unregister_class(DREAMFUSION_PT_damaged)
