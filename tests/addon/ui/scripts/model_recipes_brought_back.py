"""Settings come back from a saved preset and from a job."""

import os
import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from shown_settings import told

run = Run()
settings = run.settings
artist = addon.part("ui.settings.artist_settings")
artist.reset(settings)
run.greet()
settings.model, settings.preset = "owner/painter", "high"
settings.guidance.scale, settings.mesh.iso_auto, settings.mesh.iso = 33.0, False, 4.0
bpy.ops.dreamfusion.add_preset(name="My Way")
artist.reset(settings)
settings.model, settings.preset = "starter", "draft"
settings.optimize.views = 3
folders = bpy.utils.preset_paths("dreamfusion")
found = next(os.path.join(folder, name) for folder in folders for name in os.listdir(folder) if name.endswith(".py"))
bpy.ops.script.execute_preset(filepath=found, menu_idname="DREAMFUSION_PT_presets")
told(run, "saved_preset")
artist.reset(settings)
Recipe = addon.part("core.job").Recipe
was = {"guidance": {"scale": 100.0, "of_the_future": 1}, "mesh": {"texture": 1000, "padding": 4}, "device": "cpu"}
made_by = Recipe("a mug", seed=3, model="owner/painter", preset="draft", settings=was)
addon.part("ui.run.enqueue").write(bpy.context, made_by)
told(run, "job")
addon.tell(job_model=settings.model, job_preset=settings.preset)
settings.model = "starter"
told(run, "job_elsewhere")
