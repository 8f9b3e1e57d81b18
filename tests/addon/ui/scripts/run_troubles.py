"""What goes wrong is told, and the next run works."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=30)
messages = addon.part("ui.panels.trouble_box")
told = {}
for word in ("die", "fail", "zebra"):
    job = run.generate("a " + word + " hamburger")
    run.until(lambda job=job: job.state.value == "failed", "a failed job")
    told[word] = {
        "code": job.trouble.code,
        "what": job.trouble.what,
        "fix": messages.in_blender(job.trouble),
        "buttons": [b[0] for b in messages.buttons(job.trouble.code, True)],
        "preview": bool(run.preview()),
    }
memory = next(job for job in run.jobs if "fail" in job.recipe.prompt)
bpy.ops.dreamfusion.lower_quality(job_id=memory.id)
cheaper = run.jobs[-1].recipe
bpy.ops.dreamfusion.cancel(job_id=run.jobs[-1].id)
damaged = run.generate("a badglb hamburger")
run.until(lambda: run.session.trouble is not None or damaged.state.value == "failed", "a damaged mesh told")
good = run.generate("a hamburger")
run.until(run.inserted(good), "the next Generate")
addon.tell(
    told=told, cheaper=cheaper.to_json(), good=good.state.value, damaged=str(run.session.trouble or damaged.trouble)
)
