"""Another output folder between two runs."""

import os
import sys

import addon
import effort

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=20)
job = run.generate()
run.until(run.inserted(job), "the object")
engine = run.session.queue._host.pid
with effort.counted() as counted:
    addon.preferences().output = os.path.join(os.environ["FOLDER"], "elsewhere")
second = run.generate("a mug")
run.until(run.inserted(second), "an object in the new folder")
run.until(lambda: engine not in run.children(), "the end of the first engine")
addon.tell(waits=counted.waits, folder=str(second.folder.parent), jobs=len(run.jobs))
