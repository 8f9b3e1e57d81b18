"""An engine that is killed, three times."""

import os
import signal
import sys

import addon

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=100000, step_s=0.004)
for number in range(3):
    job = run.generate("a hamburger")
    run.until(lambda job=job, number=number: job.step > 3 + 7 * number, "training")
    os.kill(run.session.queue._host.pid, signal.SIGKILL)
    run.hear_of_death()
    addon.tell(
        **{
            f"state_{number}": job.state.value,
            f"why_{number}": job.trouble.why,
            f"preview_{number}": bool(run.preview()),
        }
    )
run.steps = 20
run.prepare()
good = run.generate("a mug")
run.until(run.inserted(good), "the next Generate")
addon.tell(good=good.state.value)
