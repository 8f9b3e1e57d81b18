"""Pause, Resume, Finish and Cancel."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=5000, step_s=0.002)
job = run.generate()
run.until(lambda: job.step > 20, "training")
bpy.ops.dreamfusion.pause()
run.until(lambda: job.state.value == "paused", "a paused job")
held = job.step
run.ticks(0.4)
addon.tell(held=job.step - held)
bpy.ops.dreamfusion.resume_job()
run.until(lambda: job.step > held + 20, "training that goes on")
bpy.ops.dreamfusion.finish()
run.until(run.inserted(job), "the object of a run that was stopped early")
addon.tell(finished=job.state.value, objects=len(bpy.data.objects))
second = run.generate("a mug")
run.until(lambda: run.preview() is not None, "a preview")
bpy.ops.dreamfusion.cancel()
run.until(lambda: second.state.value == "cancelled", "a cancelled job")
addon.tell(
    cancelled=second.state.value,
    preview=run.preview() is not None,
    after=len(bpy.data.objects),
    meshes=[m.name for m in bpy.data.meshes if m.users == 0],
)
run.settings.optimize.steps = 20
third = run.generate("a rocket")
run.until(run.inserted(third), "the next Generate")
addon.tell(third=third.state.value)
