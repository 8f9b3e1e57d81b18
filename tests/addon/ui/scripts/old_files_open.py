"""The file of an earlier version is opened."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from old_file import path, told
from pumping import Run

addon.enable()
bpy.ops.wm.open_mainfile(filepath=path)
told("opened")
run = Run()
bpy.ops.wm.open_mainfile(filepath=path)
run.greet()
told("greeted")
bpy.data.scenes["painted"].dreamfusion.model = "starter"
bpy.data.scenes["sixty_four"].dreamfusion.model = "starter"
told("starter")
bpy.data.scenes["painted"].dreamfusion.model = "owner/painter"
bpy.data.scenes["sixty_four"].dreamfusion.model = "owner/painter"
bpy.ops.wm.save_as_mainfile(filepath=path + "2")
bpy.ops.wm.open_mainfile(filepath=path + "2")
told("again")
run.ticks(0.1)
told("again_settled")
