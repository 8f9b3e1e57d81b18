"""What is said of experimental models, and each panel's way back."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import Drawn, RecordingLayout, draw

run = Run()
settings = run.settings
addon.part("ui.settings.artist_settings").reset(settings)
run.greet()
preferences = addon.preferences()
preferences.show_offer = True
mine = preferences.models.add()
mine.name, mine.path = "Mine", "owner/strange"
here = run.session
here.queue._host.suggestions = [{"name": "owner/offered", "recipe": {"experimental": True}}]
drawn = Drawn()
addon.part("ui.panels.preferences").draw(RecordingLayout(drawn), bpy.context, preferences)
preferences.models.clear()
settings.model = "/models/of/mine"
headers = {}
for name in ("guidance", "training", "mesh", "memory"):
    headers[name] = draw(getattr(bpy.types, "DREAMFUSION_PT_" + name)).operators()
settings.camera.distance = (3.0, 4.0)


def guidance() -> str:
    return " ".join(draw(bpy.types.DREAMFUSION_PT_guidance).texts())


after = {name: draw(getattr(bpy.types, "DREAMFUSION_PT_" + name)).operators() for name in headers}
addon.tell(
    preferences=drawn.texts(), headers=headers, after=after, note=draw(bpy.types.DREAMFUSION_PT_training).texts()
)
settings.model = "owner/painter"
addon.tell(own_score=guidance())
settings.guidance.score = "vsd"
addon.tell(vsd=guidance())
settings.model = "owner/before"
addon.tell(vsd_before=guidance())
settings.guidance.scale = 7.5
addon.tell(vsd_and_scale=guidance())
