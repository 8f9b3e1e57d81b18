"""Another file is opened in the middle of a run."""

import os
import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=2000, step_s=0.004)
path = os.path.join(os.environ["FOLDER"], "mine.blend")
bpy.ops.wm.save_as_mainfile(filepath=path)
job = run.generate()
run.until(lambda: run.preview() is not None, "a preview")
bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
run.pump.tick()
addon.tell(timer=bpy.app.timers.is_registered(run.pump.tick), rows=len(bpy.context.window_manager.dreamfusion.rows))
step = job.step
run.until(lambda: job.step > step + 20, "a run that goes on in another file")
addon.tell(preview=run.preview() is not None, objects=len(bpy.data.objects))
run.until(lambda: job.state.value == "done", "the end of the run")
run.ticks(0.3)
addon.tell(inserted=job.inserted, stranger=len(bpy.data.objects), notice=run.session.notice)
bpy.ops.dreamfusion.insert(job_id=job.id)
addon.tell(on_wish=len(bpy.data.objects))
run.prepare()
bpy.ops.wm.open_mainfile(filepath=path)
run.prepare()
again = run.generate("a mug")
run.until(lambda: again.step > 10, "a second run")
bpy.ops.wm.open_mainfile(filepath=path)
run.until(run.inserted(again), "the object in the file that was opened again")
addon.tell(reopened=len(bpy.data.objects), listed=len(bpy.context.window_manager.dreamfusion.rows))
