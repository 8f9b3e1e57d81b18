"""Which settings the panels show."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import draw

run = Run()
run.settings.mesh.iso_auto = False
run.settings.placement.start_from = "OBJECT"
shown = []
for name in ("guidance", "training", "mesh", "memory", "placement"):
    shown += draw(getattr(bpy.types, "DREAMFUSION_PT_" + name)).properties()
preset = addon.part("core.engine_preset")
wanted = [f"DREAMFUSION_PG_{stage}.{key}" for stage, key in preset.ALL]
addon.tell(missing=sorted(set(wanted) - set(shown)))
