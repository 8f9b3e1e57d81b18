"""Blender ends in the middle of a run."""

import sys

import addon

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=100000, step_s=0.004)
job = run.generate()
run.until(lambda: job.step > 10, "training")
addon.tell(engine=run.session.queue._host.pid)
