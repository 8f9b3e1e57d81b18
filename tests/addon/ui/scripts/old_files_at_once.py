"""A script chooses presets before the add-on has looked at the file."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from old_file import path, told

addon.enable()
bpy.ops.wm.open_mainfile(filepath=path)
for name, preset in (("painted", "high"), ("plain", "draft"), ("sixty_four", "high"), ("fresh", "draft")):
    bpy.data.scenes[name].dreamfusion.preset = preset
told("at_once")
