"""A bug of the add-on's in the middle of a run."""

import sys
from typing import Any

import addon

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=300, step_s=0.004)
job = run.generate()
run.until(lambda: job.step > 5, "training")
previews = addon.part("ui.scene.preview_object")
really, step = previews.tick, job.step


def broken(context: Any) -> None:
    raise ZeroDivisionError("on purpose")


previews.tick = broken
run.ticks(0.5)
log = run.session.log.read_text()
addon.tell(told=run.session.trouble.code, traces=log.count("ZeroDivisionError: on purpose"))
run.session.bug, run.session.log = None, run.session.log / "no" / "folder"
run.ticks(0.2)
previews.tick = really
run.until(run.inserted(job), "the object, after the bug")
addon.tell(state=job.state.value)
