"""Test Connection, with an engine and without."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run()
bpy.ops.dreamfusion.test_connection()
run.until(lambda: run.session.report is not None, "an answer")
good = run.session.report
addon.preferences().command = "/nowhere/dreamfusion-engine"
bpy.ops.dreamfusion.test_connection()
run.until(lambda: run.session.report is not None, "a refusal")
bad = run.session.report
addon.tell(good=good.text, trouble=good.trouble is None, bad=str(bad.trouble), children=run.children())
