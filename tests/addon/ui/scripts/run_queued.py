"""A text block is queued; results are inserted again and removed."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=20)
text = bpy.data.texts.new("Prompts")
text.write("\ufeffa hamburger\n\n\u200b\n\ufeff# not this one\n  a mug  \na rocket\n")
run.settings.prompts = text
bpy.ops.dreamfusion.queue_text()
prompts = [job.recipe.prompt for job in run.jobs]
rows = len(bpy.context.window_manager.dreamfusion.rows)
run.until(lambda: all(job.inserted for job in run.jobs), "three objects")
first = run.jobs[0]
addon.tell(prompts=prompts, objects=len(bpy.data.objects))
bpy.ops.dreamfusion.insert(job_id=first.id)
addon.tell(again=len(bpy.data.objects))
bpy.ops.dreamfusion.use_settings(job_id=run.jobs[1].id)
addon.tell(prompt=run.settings.prompt, steps=run.settings.optimize.steps)
folder = first.folder
bpy.ops.dreamfusion.remove(job_id=first.id)
run.until(lambda: not folder.exists(), "a deleted folder")
addon.tell(left=len(run.jobs), rows=len(bpy.context.window_manager.dreamfusion.rows))
