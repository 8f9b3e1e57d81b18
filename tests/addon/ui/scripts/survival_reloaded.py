"""Reload Scripts in the middle of a run."""

import os
import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=100000, step_s=0.004)
job = run.generate()
run.until(lambda: job.step > 10, "training")
bpy.ops.script.reload()
run = Run(steps=30)
addon.tell(children_before=len(run.children()), state=run.jobs[0].state.value)
fresh = run.generate("a mug")
run.until(run.inserted(fresh), "a run after Reload Scripts")
addon.tell(fresh=fresh.state.value)
addon.disable()
sys.stdout.flush()
os._exit(0)  # after script.reload() alone, without any add-on, bpy 4.5 hangs when it exits
