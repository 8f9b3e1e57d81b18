"""The add-on's entries in the keymap: without keys, with one that an artist gave, and after the add-on was off."""

import addon
import bpy


def of(kind: str) -> dict[str, str]:
    """Operator and key of the add-on's entries in one of Blender's keymaps."""
    keymap = getattr(bpy.context.window_manager.keyconfigs, kind).keymaps.get("3D View")
    entries = keymap.keymap_items if keymap is not None else ()
    return {entry.idname: entry.type for entry in entries if entry.idname.startswith("dreamfusion.")}


addon.enable()
manager = bpy.context.window_manager
manager.keyconfigs.update()
keymap = addon.part("ui.keymap")
addon.tell(
    operators=list(keymap.OPERATORS), first=of("addon"), listed=[e.idname for *_, e in keymap.shown(bpy.context)]
)
entry = next(entry for *_, entry in keymap.shown(bpy.context) if entry.idname == "dreamfusion.generate")
entry.type, entry.ctrl = "F17", True
addon.disable()
manager.keyconfigs.update()
addon.tell(off=[of("addon"), of("user")])
addon.enable()
entry = next(entry for *_, entry in keymap.shown(bpy.context) if entry.idname == "dreamfusion.generate")
addon.tell(again=[entry.type, entry.ctrl], others=sorted(set(of("addon").values())))
addon.tell(exist=dir(bpy.ops.dreamfusion))
addon.disable()
