"""The cost that the panel tells."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import draw

run = Run()
settings = run.settings
addon.part("ui.settings.artist_settings").reset(settings)


def texts(name: str) -> None:
    addon.tell(**{name: draw(bpy.types.DREAMFUSION_PT_main).texts()})


run.greet()
settings.model = "owner/painter"
for preset in ("draft", "standard", "high"):
    settings.preset = preset
    texts(preset)
settings.preset, settings.optimize.steps = "draft", 20
texts("twenty_steps")
job = run.generate("a mug")
run.until(run.inserted(job), "an object")
texts("measured")
settings.model = "starter"
texts("starter")
