"""What the artist changes, over models, presets and a run."""

import json
import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from shown_settings import told

run = Run()
settings = run.settings
addon.part("ui.settings.artist_settings").reset(settings)
run.greet()
settings.model = "owner/painter"
settings.guidance.scale = 7.0
settings.mesh.triangles = 1234
told(run, "mine")
settings.model = "starter"
told(run, "starter")
settings.preset = "high"
settings.model = "owner/painter"
told(run, "high")
run.settings.optimize.steps = 20
settings.preset = "draft"
job = run.generate("a mug")
run.until(run.inserted(job), "an object")
addon.tell(sent=json.loads((job.folder / "result.json").read_text())["settings"])
bpy.ops.dreamfusion.reset_settings(stages="guidance")
told(run, "guidance_back")
addon.tell(poll=bpy.ops.dreamfusion.reset_settings.poll())
bpy.ops.dreamfusion.reset_settings()
told(run, "all_back")
addon.tell(poll_after=bpy.ops.dreamfusion.reset_settings.poll())
settings.optimize.steps = 99
settings.optimize.steps = 2500
told(run, "moved_back")
