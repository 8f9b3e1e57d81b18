"""The lists of devices in the preferences, and what a job is told of them."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import Drawn, RecordingLayout

run = Run()
preferences = addon.preferences()
devices = addon.part("ui.settings.devices")
enqueue = addon.part("ui.run.enqueue")


def drawn() -> str:
    seen = Drawn()
    addon.part("ui.panels.preferences").draw(RecordingLayout(seen), bpy.context, preferences)
    return " ".join(seen.texts())


def told() -> object:
    return enqueue.recipe(bpy.context).settings.get("device")


silent = {"device": [i[:2] for i in devices.items(preferences, None)], "why": devices.explanation(), "told": told()}
run.greet()
lists = [[item[:3] for item in each(preferences, None)] for each in (devices.items, devices.field_items)]
asked = [told()]
for device, field in (
    ("cuda:0", "auto"),
    ("xpu:0", "cpu"),
    ("auto", "cpu"),
    ("cuda:0", "cuda:0"),
    ("an old card", "auto"),
):
    preferences.device, preferences.field_device = device, field
    asked.append(told())
    asked.append([devices.chosen(preferences) >= 0, devices.items(preferences, None)[devices.chosen(preferences)][0]])
devices.choose(preferences, 1)
devices.field_choose(preferences, 1)
asked.append(told())
devices.choose(preferences, 999)
devices.field_choose(preferences, 999)
asked.append(told())
addon.tell(silent=silent, lists=lists, asked=asked, shown=drawn())
