"""Edit Mode at the end of a run, and a deleted preview."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=60)
bpy.ops.mesh.primitive_cube_add()
cube = bpy.context.object.name
job = run.generate()
run.until(lambda: job.step > 5, "training")
bpy.ops.object.mode_set(mode="EDIT")
run.until(lambda: job.state.value == "done", "the end")
run.ticks(0.4)
addon.tell(mode=bpy.context.mode, inserted=job.inserted, reason=addon.part("ui.run.insertion").obstacle())
bpy.ops.object.mode_set(mode="OBJECT")
run.until(run.inserted(job), "the object after Edit Mode")
addon.tell(objects=len(bpy.data.objects), cube=cube in bpy.data.objects)
second = run.generate("a mug")
run.until(lambda: run.preview() is not None, "a preview")
bpy.data.objects.remove(run.preview())
run.until(run.inserted(second), "the object although the preview was deleted")
addon.tell(after=len(bpy.data.objects))
