"""A model's folder of the artist's own."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import draw
from shown_settings import told

run = Run()
settings = run.settings
addon.part("ui.settings.artist_settings").reset(settings)
settings.model = "/models/mine"
host = run.session.queue._host
here = run.session
run.greet()
told(run, "mine")
texts = {"mine": " ".join(draw(bpy.types.DREAMFUSION_PT_main).texts())}
mine = addon.preferences().models.add()
mine.path, mine.name = "/models/broken", "Broken"
settings.model = "/models/broken"
run.until(lambda: len(here.queue.given) == 1 and here.queue.given[0]["name"] == "/models/broken", "another answer")
texts["broken"] = " ".join(draw(bpy.types.DREAMFUSION_PT_main).texts())
texts["broken"] += " ".join(draw(bpy.types.DREAMFUSION_PT_guidance).texts())
here.queue.stop_engine()
run.until(lambda: here.queue.engine_state == "absent" and not host.ending, "no engine")
settings.model = "/models/other"
draw(bpy.types.DREAMFUSION_PT_main)
run.until(lambda: here.queue.engine_state == "ready", "an engine to ask")
run.ticks(0.1)
here.queue.stop_engine()
run.until(lambda: here.queue.engine_state == "absent" and not host.ending, "no engine again")
draw(bpy.types.DREAMFUSION_PT_main)
run.ticks(0.3)
addon.tell(texts=texts, state=here.queue.engine_state)
