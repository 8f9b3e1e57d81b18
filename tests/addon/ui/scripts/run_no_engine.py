"""The panel without an engine."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import draw

addon.enable()
bpy.context.scene.dreamfusion.prompt = "a hamburger"
pump = addon.part("ui.run.timer")
here = addon.part("ui.run.session").current()
for _ in range(3):
    pump.tick()
addon.tell(
    code=here.missing.code,
    can=bpy.ops.dreamfusion.generate.poll(),
    unseen=here.setup.state,
    children=Run.children(None),
)
draw(bpy.types.DREAMFUSION_PT_main)
pump.tick()
addon.tell(seen=here.setup.state)
addon.disable()
