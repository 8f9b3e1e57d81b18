"""Jobs on a cluster: chosen in the preferences, checked by Test Connection, two at once, each with its object."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import Drawn, RecordingLayout

run = Run(steps=50_000, step_s=0.01)
chosen = addon.preferences()


def rows() -> list[str]:
    """What the preferences show of this."""
    drawn = Drawn()
    addon.part("ui.panels.preferences").draw(RecordingLayout(drawn), bpy.context, chosen)
    return [name for name in ("jobs_on", "cluster") if any(each.endswith(f".{name}") for each in drawn.properties())]


without = [rows(), run.session.missing is None]
chosen.command += " --places 2"
chosen.jobs_on, chosen.cluster = "ray", "no address"
refused = run.session.missing.code
chosen.cluster = "gpu-box:6379"
addon.tell(
    without=without,
    refused=refused,
    shown=rows(),
    words=addon.part("ui.settings.preferences").location(chosen).words()[-3:],
)
bpy.ops.dreamfusion.test_connection()
run.until(lambda: run.session.report is not None, "an answer")
addon.tell(found=run.session.report.text)
first, second = run.generate(), run.generate("a mug")
run.until(lambda: min(first.step, second.step) > 20, "two jobs at work")
addon.tell(at_once=[job.state.value for job in (first, second)], top=run.session.shown is first)
bpy.ops.dreamfusion.finish(job_id=second.id)
run.until(run.inserted(second), "the second object")
addon.tell(first=first.state.value, second=second.state.value)
bpy.ops.dreamfusion.cancel(job_id=first.id)
run.until(lambda: first.state.value == "cancelled", "a cancelled job")
addon.tell(objects=[obj.name for obj in bpy.data.objects])
