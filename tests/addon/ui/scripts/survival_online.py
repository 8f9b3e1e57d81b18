"""Online access changes between two runs."""

import dataclasses
import sys

import addon

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=20)
job = run.generate()
run.until(run.inserted(job), "the object")
before = run.session.queue.engine_state
preferences = addon.part("ui.settings.preferences")
really = preferences.location
preferences.location = lambda chosen: dataclasses.replace(really(chosen), online=not really(chosen).online)
run.session.poll(now=True)
addon.tell(before=before, after=run.session.queue.engine_state)
second = run.generate("a mug")
run.until(run.inserted(second), "an object by an engine that was started again")
