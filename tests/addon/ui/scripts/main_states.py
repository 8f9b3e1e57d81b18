"""Every panel and menu, drawn in many states."""

import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import Drawn, PanelInstance, RecordingLayout, draw

SEARCHED = {f"DREAMFUSION_MT_{name}" for name in ("main", "run", "engine")}  # they have all buttons in every state


def everything() -> Any:
    drawn = Drawn()
    for name in sorted(dir(bpy.types)):
        if name.startswith(("DREAMFUSION_PT", "DREAMFUSION_MT")) and "presets" not in name:
            made = draw(getattr(bpy.types, name))
            drawn.calls += made.calls if name not in SEARCHED else []
    preferences = addon.preferences()
    addon.part("ui.panels.preferences").draw(RecordingLayout(drawn), bpy.context, preferences)
    jobs = bpy.types.DREAMFUSION_UL_jobs
    window = bpy.context.window_manager.dreamfusion
    for row in window.rows:
        jobs.draw_item(PanelInstance(jobs, drawn), bpy.context, RecordingLayout(drawn), window, row, 0, window, "index")
    return drawn


def told(name: Any) -> Any:
    drawn = everything()
    addon.tell(**{name: {"texts": drawn.texts(), "operators": drawn.operators(), "properties": drawn.properties()}})


addon.enable()
session = addon.part("ui.run.session").current()
told("no_engine")
Trouble = addon.part("core.job").Trouble
setup = session.setup
setup.state, setup.fraction, setup.stage = "running", 0.42, "Installing torch"
told("installing")
setup.state = "failed"
setup.trouble = Trouble("setup.failed", "It failed.", "No network.", "Try again.")
told("install_failed")
setup.state, setup.trouble = "idle", None
run = Run(steps=100000, step_s=0.004)
told("ready")
run.settings.task = "TEXTURE"
told("texture")
bpy.ops.mesh.primitive_cube_add()
bpy.context.object.name = "Bucket"
told("texture_of_one")
run.settings.task = "OBJECT"
run.settings.guidance.scale = 20.0
run.settings.placement.placeholder = bpy.data.objects.new("Box", None)
preferences = addon.preferences()
preferences.models.add().path = "/models/mine"
job = run.generate("a hamburger")
waiting = run.generate("a mug")
told("starting")
run.until(lambda: job.step > 10, "training")
told("running")
bpy.ops.dreamfusion.pause()
run.until(lambda: job.state.value == "paused", "paused")
told("paused")
bpy.ops.dreamfusion.cancel(job_id=waiting.id)
bpy.ops.dreamfusion.cancel(job_id=job.id)
run.until(lambda: job.state.value == "cancelled", "cancelled")
told("cancelled")
run.steps = 20
run.prepare()
failed = run.generate("a fail hamburger")
run.until(lambda: failed.state.value == "failed", "failed")
told("failed")
done = run.generate("a rocket")
run.until(run.inserted(done), "done")
told("done")
bpy.ops.dreamfusion.test_connection()
told("testing")
run.until(lambda: run.session.report is not None, "a report")
told("tested")
run.session.notice = "Something is done"
run.session.trouble = Trouble("internal.bug", "A bug.", "Why.", "Copy the report.")
told("trouble")
