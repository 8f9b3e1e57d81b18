"""In Blender's window: Best of, its pictures with rank and grade, a draft in the scene, a choice by hand, the end.

Environment: DREAMFUSION_TEST_PICTURES, a folder; DREAMFUSION_TEST_ENGINE, a script that stands for the engine.
"""

from __future__ import annotations

import os

import addon
import bpy
import drive

STEPS = 100_000  # more than are made before Stop Here and Keep It


def script() -> drive.Script:
    """What an artist does."""
    addon.enable()
    preferences = addon.preferences()
    preferences.command = f'"{addon.ENGINE_PYTHON}" "{os.environ["DREAMFUSION_TEST_ENGINE"]}"'
    preferences.engine = "command"
    here = addon.part("ui.run.session").current()
    icons = addon.part("ui.scene.icons")
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    yield from drive.open_tab()
    yield lambda: here.models is not None
    chosen = bpy.context.scene.dreamfusion
    chosen.prompt, chosen.preset, chosen.optimize.steps, chosen.best_of = "a patient house", "draft", STEPS, 8
    addon.part("ui.scene.redraw").panels()
    yield 1.0
    yield from drive.picture("addon-best-of-empty")
    bpy.ops.dreamfusion.generate()
    job = here.queue.jobs[0]
    yield lambda: job.standing is not None and sum(not each.on for each in job.standing.seeds) >= 4
    bpy.ops.dreamfusion.pause()
    yield lambda: job.state.value == "paused"
    yield lambda: all(icons.has(f"{job.id}/seed-{seed}") for seed in range(8))
    yield 1.0
    yield from drive.picture("addon-best-of")
    bpy.ops.dreamfusion.insert_draft(job_id=job.id, seed=0)
    yield lambda: any("dreamfusion_recipe" in obj for obj in bpy.data.objects)
    bpy.ops.dreamfusion.finish_seed(job_id=job.id, seed=2)
    bpy.ops.dreamfusion.resume_job(job_id=job.id)
    yield lambda: job.choice == 2 and job.standing.round >= 1 and len(job.standing.left) == 1 and job.step > 3
    bpy.ops.dreamfusion.finish()
    yield lambda: job.inserted
    yield 1.0
    yield from drive.picture("addon-best-of-result")
    made = [obj for obj in bpy.data.objects if "dreamfusion_recipe" in obj]
    addon.tell(
        winner=job.winner,
        made=len(made),
        cpu=[(tick.cpu_s, tick.insertion) for tick in addon.part("ui.run.timer").ticks],
    )


drive.run(script())
