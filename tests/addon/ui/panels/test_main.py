"""Every panel draws in every state, in every Blender, and shows what the state calls for."""

from __future__ import annotations

from typing import Any

from addon.blenders import Session

SCRIPT = """
import sys, addon, bpy
sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import Drawn, PanelInstance, RecordingLayout, draw

def everything():
    drawn = Drawn()
    for name in sorted(dir(bpy.types)):
        if name.startswith(("DREAMFUSION_PT", "DREAMFUSION_MT")) and "presets" not in name:
            drawn.calls += draw(getattr(bpy.types, name)).calls
    preferences = addon.preferences()
    addon.part("ui.panels.preferences").draw(RecordingLayout(drawn), bpy.context, preferences)
    jobs = bpy.types.DREAMFUSION_UL_jobs
    window = bpy.context.window_manager.dreamfusion
    for row in window.rows:
        jobs.draw_item(PanelInstance(jobs, drawn), bpy.context, RecordingLayout(drawn), window, row, 0, window, "index")
    return drawn

def told(name):
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
failed = run.generate("a memory hamburger")
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
"""


def text(state: dict[str, Any]) -> str:
    return " ".join(state["texts"])


def test_every_panel_draws_in_every_state(blender: Session) -> None:
    facts = blender.run(SCRIPT).facts
    assert "dreamfusion.install_engine" in facts["no_engine"]["operators"]
    assert "dreamfusion.generate" not in facts["no_engine"]["operators"]
    assert "dreamfusion.cancel_install" in facts["installing"]["operators"] and "Installing" in text(
        facts["installing"]
    )
    assert "It failed." in text(facts["install_failed"])
    ready = facts["ready"]
    assert "dreamfusion.generate" in ready["operators"] and "dreamfusion.pause" not in ready["operators"]
    for shown in ("settings.prompt", "settings.negative", "settings.model_choice", "settings.seed", "settings.preset"):
        assert f"DREAMFUSION_PG_{shown}" in ready["properties"], shown
    assert "Starting the engine..." in facts["starting"]["texts"]
    running = facts["running"]
    assert {"dreamfusion.pause", "dreamfusion.cancel", "dreamfusion.finish"} <= set(running["operators"])
    assert "Training, step" in text(running) and "steps/s" in text(running) and "left" in text(running)
    assert "Settings changed" in running["texts"] and "1 more in the queue" in running["texts"]
    assert "dreamfusion.resume_job" in facts["paused"]["operators"] and "Paused at step" in text(facts["paused"])
    assert "Cancelled: a" in text(facts["cancelled"])
    assert "dreamfusion.lower_quality" in facts["failed"]["operators"] and "The memory ran out." in text(
        facts["failed"]
    )
    assert "Done in" in text(facts["done"]) and "dreamfusion.insert" in facts["done"]["operators"]
    assert "Asking the engine..." in facts["testing"]["texts"]
    assert "0.2.0" in text(facts["tested"])
    assert "Something is done" in text(facts["trouble"]) and "dreamfusion.open_log" in facts["trouble"]["operators"]


SHOWN = """
import sys, addon, bpy
sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import draw
run = Run()
run.settings.mesh.iso_auto = False
shown = []
for name in ("guidance", "training", "mesh", "memory", "placement"):
    shown += draw(getattr(bpy.types, "DREAMFUSION_PT_" + name)).properties()
preset = addon.part("core.engine_preset")
wanted = [f"DREAMFUSION_PG_{stage}.{key}" for stage in preset.STAGES for key in preset.STANDARD[stage]]
addon.tell(missing=sorted(set(wanted) - set(shown)))
"""


def test_every_setting_has_its_place_in_a_sub_panel(newest_blender: Session) -> None:
    assert newest_blender.run(SHOWN).facts["missing"] == []
