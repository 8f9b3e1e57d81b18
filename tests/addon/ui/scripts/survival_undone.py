"""Undo and redo in the middle of a run and of its result."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=100_000, step_s=0.004)
bpy.ops.ed.undo_push(message="start")
job = run.generate()
run.until(lambda: run.preview() is not None, "a preview")
bpy.ops.mesh.primitive_cube_add()
bpy.ops.ed.undo_push(message="cube")
run.ticks(0.2)
bpy.ops.ed.undo()
run.ticks(0.2)
bpy.ops.ed.redo()
run.ticks(0.2)
bpy.ops.ed.undo()
step = job.step
run.until(lambda: job.step > step + 10, "a run that goes on after undo")
bpy.ops.dreamfusion.finish()
run.until(run.inserted(job), "the object")
name = bpy.context.view_layer.objects.active.name
addon.tell(previews=run.preview() is not None, there=name in bpy.data.objects)
bpy.ops.ed.undo()
run.ticks(0.2)
addon.tell(after_undo=name in bpy.data.objects, ghost=run.preview() is not None)
bpy.ops.ed.redo()
run.ticks(0.2)
addon.tell(after_redo=name in bpy.data.objects, state=job.state.value)
