"""A recipe that no property could hold."""

import json
import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import draw
from shown_settings import told

run = Run()
settings = run.settings
artist = addon.part("ui.settings.artist_settings")
artist.reset(settings)
run.greet()
told(run, "starter")
settings.model = "owner/strange"
told(run, "draft")
settings.preset = "standard"
told(run, "standard")
panels = [name for name in dir(bpy.types) if name.startswith("DREAMFUSION_PT") and "presets" not in name]
texts = [text for name in panels for text in draw(getattr(bpy.types, name)).texts()]
items = {item[0]: item[1] for item in addon.part("ui.settings.models").items(None, None)}
addon.tell(texts=texts, items=items)
wrong = {"preset": 5, "settings": {"guidance.scale": "x", "a.b": 1, "mesh.texture": []}}
for shown in ("", "{", "[]", json.dumps(wrong), "9" * 5000):
    settings.shown, settings.kept = shown, "guidance.scale no.such mesh x.y.z"
    artist.settle(settings)
told(run, "noted_wrongly")
