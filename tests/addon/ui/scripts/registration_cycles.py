"""The add-on enabled and disabled a hundred times: what is left of it."""

import sys
import threading
import time
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run


def state() -> dict[str, Any]:
    classes = [name for name in dir(bpy.types) if "DREAMFUSION" in name.upper()]
    groups = [
        base.__name__ + "." + cls.__name__
        for base in (bpy.types.PropertyGroup, bpy.types.AddonPreferences)
        for cls in base.__subclasses__()
        if cls.is_registered and cls.__name__.startswith("DREAMFUSION")
    ]
    properties = [
        owner + "." + name
        for owner in ("Scene", "WindowManager", "Object")
        for name in getattr(bpy.types, owner).bl_rna.properties.keys()  # noqa: SIM118  not a dict
        if "dreamfusion" in name
    ]
    handlers = {
        name: len(value) for name in dir(bpy.app.handlers) if isinstance(value := getattr(bpy.app.handlers, name), list)
    }
    menus = {
        menu: len(getattr(getattr(bpy.types, menu).draw, "_draw_funcs", ()))
        for menu in dir(bpy.types)
        if "_MT_" in menu and not menu.startswith("DREAMFUSION")
    }
    counts = {name: len(getattr(bpy.data, name)) for name in ("objects", "meshes", "images", "materials", "texts")}
    operators = list(dir(bpy.ops.dreamfusion)) if hasattr(bpy.ops, "dreamfusion") else []
    return {
        "classes": classes,
        "groups": groups,
        "properties": properties,
        "handlers": handlers,
        "menus": {k: v for k, v in menus.items() if v},
        "counts": counts,
        "operators": operators,
    }


addon.enable()  # Blender's own first-time changes, such as the presets folder, are not ours
addon.disable()
before = state()
pump = addon.part("ui.run.timer")
previews: set[Any] = set()
for _ in range(100):
    addon.enable()
    pump.tick()
    assert bpy.app.timers.is_registered(pump.tick)
    addon.disable()
    assert not bpy.app.timers.is_registered(pump.tick)
after = state()
threads = [t.name for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
end = time.monotonic() + 600
children = Run.children(None)
while children and time.monotonic() < end:
    time.sleep(0.1)
    children = Run.children(None)
addon.tell(before=before, after=after, threads=threads, children=children)
