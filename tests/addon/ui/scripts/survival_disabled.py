"""The add-on is disabled in the middle of a run and enabled again."""

import sys
import time

import addon
import bpy
import effort

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=100000, step_s=0.004)
job = run.generate()
run.until(lambda: run.preview() is not None, "a preview")
with effort.counted() as counted:
    addon.disable()
while run.children():  # killed by now; a busy system takes a moment to clear it away
    time.sleep(0.05)
addon.tell(
    waited=counted.waited_s,
    objects=len(bpy.data.objects),
    timers=bpy.app.timers.is_registered(run.pump.tick),
    scene=hasattr(bpy.types.Scene, "dreamfusion"),
    window=hasattr(bpy.types.WindowManager, "dreamfusion"),
)
run = Run(steps=400, step_s=0.004)
again = run.jobs[0]
run.pump.tick()
addon.tell(
    state=again.state.value,
    same=again.id == job.id,
    shown=run.session.shown is again,
    rows=len(bpy.context.window_manager.dreamfusion.rows),
)
again.recipe.settings["optimize"]["steps"] = 50
bpy.ops.dreamfusion.resume_job(job_id=again.id)
run.until(lambda: again.state.value == "done", "a resumed job")
run.until(lambda: again.inserted or run.session.notice, "news")
