"""Every setting, with its kind, range and default."""

from typing import Any

import addon
import bpy

addon.enable()
settings = bpy.context.scene.dreamfusion
preset = addon.part("core.engine_preset")
stages: dict[str, Any] = {}


def shortened(value: float) -> float:
    """A 32-bit float as it was given."""
    return float(f"{value:.6g}")


def default_of(prop: Any) -> Any:
    values = list(prop.default_array) if getattr(prop, "is_array", False) else [prop.default]
    values = [shortened(value) if isinstance(value, float) else value for value in values]
    return values if getattr(prop, "is_array", False) else values[0]


for stage in preset.STAGES:
    group = getattr(settings, stage)
    stages[stage] = {}
    for prop in group.bl_rna.properties:
        if prop.identifier in ("rna_type", "name"):
            continue
        about = {"type": prop.type, "length": getattr(prop, "array_length", 0), "default": default_of(prop)}
        about |= {"label": prop.name, "says": prop.description}
        if prop.type in ("INT", "FLOAT"):
            ends = {"low": prop.hard_min, "high": prop.hard_max, "soft_low": prop.soft_min, "soft_high": prop.soft_max}
            about.update({end: shortened(v) for end, v in ends.items()} if prop.type == "FLOAT" else ends)
        if prop.type == "ENUM":
            about["items"] = [item.identifier for item in prop.enum_items]
            about["words"] = {item.identifier: [item.name, item.description] for item in prop.enum_items}
        stages[stage][prop.identifier] = about
shown = {}
for name in preset.PRESETS:
    settings.preset = name
    overrides = addon.part("ui.settings.artist_settings").overrides(settings)
    shown[name] = {"values": preset.read(settings), "overrides": overrides}
addon.tell(stages=stages, shown=shown, enum=[i.identifier for i in settings.bl_rna.properties["preset"].enum_items])
