"""Every class, name, label and description of the add-on."""

from typing import Any

import addon
import bpy

addon.enable()


def described(cls: Any) -> Any:
    if not issubclass(cls, bpy.types.Operator):
        return ""
    name = cls.bl_idname.rpartition(".")[2].removeprefix("DREAMFUSION_OT_")
    return getattr(bpy.ops.dreamfusion, name).get_rna_type().description


classes = []
found = [getattr(bpy.types, name) for name in dir(bpy.types) if name.startswith("DREAMFUSION_")]
for base in (bpy.types.PropertyGroup, bpy.types.AddonPreferences):
    found += [cls for cls in base.__subclasses__() if cls.__name__.startswith("DREAMFUSION_")]
for cls in found:
    rna = cls.bl_rna
    base = next(b.__name__ for b in cls.__mro__ if b.__module__ == "bpy_types" or b.__module__.startswith("_bpy_types"))
    properties = []
    for prop in rna.properties:
        if prop.identifier in ("rna_type", "name") and base == "PropertyGroup" and not prop.description:
            continue
        if prop.is_runtime and prop.identifier not in ("bl_idname",):
            unseen = prop.is_hidden or prop.type in ("POINTER", "COLLECTION")
            properties.append([prop.identifier, prop.name, prop.description, unseen])
            if prop.type == "ENUM":
                for item in prop.enum_items:
                    properties.append([prop.identifier + "." + item.identifier, item.name, item.description, False])
    classes.append(
        {
            "name": cls.__name__,
            "base": base,
            "label": getattr(cls, "bl_label", ""),
            "id": getattr(cls, "bl_idname", ""),
            "description": described(cls),
            "properties": properties,
            "options": sorted(getattr(cls, "bl_options", ())),
            "category": getattr(cls, "bl_category", ""),
            "parent": getattr(cls, "bl_parent_id", ""),
        }
    )
addon.tell(classes=classes)
