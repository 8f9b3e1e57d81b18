"""A run while Blender renders."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=100_000, step_s=0.002)
occupied = addon.part("ui.scene.moment")
really = occupied.rendering
job = run.generate()
run.until(lambda: job.step > 5, "training")
occupied.rendering = lambda: True
run.until(lambda: job.state.value == "paused", "a run that stands aside")
box = addon.part("ui.panels.run_box")
said = box.describe(run.session, job)
bpy.ops.dreamfusion.resume_job()
run.until(lambda: job.state.value == "running", "the artist's own Resume")
run.ticks(0.5)
addon.tell(said=said, resumed=job.state.value)
occupied.rendering = really
run.ticks(0.2)
occupied.rendering = lambda: True
run.until(lambda: job.state.value == "paused", "the next render")
occupied.rendering = really
run.until(lambda: job.state.value == "running", "a run that goes on")
bpy.ops.dreamfusion.pause()
run.until(lambda: job.state.value == "paused", "a pause of the artist's")
occupied.rendering = lambda: True
run.ticks(0.2)
occupied.rendering = really
run.ticks(0.5)
addon.tell(kept=job.state.value)
bpy.ops.dreamfusion.resume_job()
run.until(lambda: job.state.value == "running", "training")
addon.preferences().pause_rendering = False
occupied.rendering = lambda: True
run.ticks(0.5)
addon.tell(unasked=job.state.value, wish=job.wish)
