"""A preset of the artist's own, saved and used again."""

import os

import addon
import bpy

addon.enable()
settings = bpy.context.scene.dreamfusion
settings.preset, settings.prompt = "high", "a hamburger"
settings.guidance.scale, settings.mesh.iso_auto, settings.mesh.iso = 33.0, False, 4.0
settings.optimize.steps, settings.optimize.resolution = 777, (16, 32)
settings.placement.size = 3.0
bpy.ops.dreamfusion.add_preset(name="My Way")
path = bpy.utils.preset_paths("dreamfusion")
files = [name for folder in path for name in os.listdir(folder)]
settings.preset = "draft"
addon.part("ui.settings.artist_settings").reset(settings)
settings.prompt, settings.placement.size = "a mug", 1.0
filename = os.path.join(path[-1], "My_Way.py") if os.path.exists(os.path.join(path[-1], "My_Way.py")) else ""
filename = filename or next(os.path.join(f, n) for f in path for n in os.listdir(f) if n.lower() == "my_way.py")
bpy.ops.script.execute_preset(filepath=filename, menu_idname="DREAMFUSION_PT_presets")
addon.tell(
    files=files,
    preset=settings.preset,
    scale=settings.guidance.scale,
    auto=settings.mesh.iso_auto,
    iso=settings.mesh.iso,
    steps=settings.optimize.steps,
    resolution=list(settings.optimize.resolution),
    size=settings.placement.size,
    prompt=settings.prompt,
)
