"""Saving and choosing sets of settings, in the header of the panel."""

from __future__ import annotations

from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel
from bpy.types import Menu, Operator, Panel

from ...core import engine_preset
from ...core.job import START

FOLDER = "dreamfusion"  # under Blender's own folder of presets


class DREAMFUSION_MT_presets(Menu):
    """Needed by AddPresetBase; the panel below is what artists see."""

    bl_label = "DreamFusion Presets"
    preset_subdir = FOLDER
    preset_operator = "script.execute_preset"
    draw = Menu.draw_preset


class DREAMFUSION_OT_add_preset(AddPresetBase, Operator):
    """Keep quality, guidance, training, mesh, placement, LoRAs and words under a name, or remove the chosen one"""

    bl_idname = "dreamfusion.add_preset"
    bl_label = "Add DreamFusion Preset"
    preset_menu = "DREAMFUSION_MT_presets"
    preset_subdir = FOLDER
    preset_defines = ["settings = bpy.context.scene.dreamfusion"]

    @property
    def preset_values(self) -> list[str]:
        """What a preset keeps. Prompt, seed and model are left out.

        The quality comes first, because it sets others. Then comes the list of the settings that are the artist's: with
        another model, all others are that model's. LoRAs and words come late, and what leads a start from a mesh last,
        because an earlier version of the add-on stops reading at a name that it does not know.
        """
        stages = [stage for stage in engine_preset.STAGES if stage != START]
        engine = [f"settings.{stage}.{name}" for stage in stages for name in _properties(stage)]
        placement = [f"settings.placement.{name}" for name in ("size", "where", "on_ground", "after")]
        return [
            "settings.preset",
            "settings.negative",
            *engine,
            *placement,
            "settings.artist",
            "settings.adapters.kept",
            *(f"settings.{START}.{name}" for name in _properties(START)),
        ]


class DREAMFUSION_PT_presets(PresetPanel, Panel):
    """The list that the button in the panel's header opens."""

    bl_label = "DreamFusion Presets"
    preset_subdir = FOLDER
    preset_operator = "script.execute_preset"
    preset_add_operator = "dreamfusion.add_preset"


CLASSES = (DREAMFUSION_MT_presets, DREAMFUSION_OT_add_preset, DREAMFUSION_PT_presets)


def _properties(stage: str) -> list[str]:
    settings = engine_preset.SETTINGS[stage]
    return [*settings, *(engine_preset.switch(key, about.word) for key, about in settings.items() if about.word)]
