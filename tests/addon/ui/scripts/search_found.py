"""Which operators Blender's search can find: those in the menus that it walks, and those that are not for artists."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from recording_layout import draw

addon.enable()
walked, waiting, operators = set(), ["DREAMFUSION_MT_main"], set()
while waiting:
    name = waiting.pop()
    walked.add(name)
    drawn = draw(getattr(bpy.types, name))
    operators |= set(drawn.operators())
    waiting += [menu for kind, menu in drawn.calls if kind == "menu" and menu not in walked]
options = {
    name: sorted(cls.bl_options)
    for name in dir(bpy.types)
    if name.startswith("DREAMFUSION_OT_") and hasattr(cls := getattr(bpy.types, name), "bl_options")
}
internal = [f"dreamfusion.{name.partition('_OT_')[2]}" for name, own in options.items() if "INTERNAL" in own]
everything = [f"dreamfusion.{name}" for name in dir(bpy.ops.dreamfusion)]
places = [
    menu
    for menu in ("VIEW3D_MT_add", "VIEW3D_MT_edit_mesh")
    if any(function.__module__.endswith("main_menu") for function in getattr(bpy.types, menu).draw._draw_funcs)
]
addon.tell(found=sorted(operators), internal=internal, everything=everything, places=places, menus=sorted(walked))
addon.disable()
