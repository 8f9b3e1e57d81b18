"""A file that is saved in the middle of a run."""

import os
import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=100000, step_s=0.004)
job = run.generate()
run.until(lambda: run.preview() is not None, "a preview")
path = os.path.join(os.environ["FOLDER"], "middle.blend")
bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
with bpy.data.libraries.load(path) as (there, _):
    addon.tell(objects=list(there.objects), meshes=list(there.meshes), images=list(there.images))
step = job.step
run.until(lambda: run.preview() is not None and job.step > step + 5, "a preview that comes back after saving")
addon.tell(state=job.state.value)
bpy.ops.dreamfusion.cancel()
run.until(lambda: job.state.value == "cancelled", "cancelled")
