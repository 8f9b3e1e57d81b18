"""One object by the scripted engine, through headless.generate, into a file."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

Run(step_s=0.0005)
headless = addon.part("ui.run.headless")
lines: list[str] = []
obj = headless.generate("a hamburger", output=sys.argv[1], size=2.0, tell=lines.append)
addon.tell(lines=lines, size=max(obj.dimensions), ground=min((obj.matrix_world @ v.co).z for v in obj.data.vertices))
addon.tell(saved=bpy.data.filepath, objects=[o.name for o in bpy.context.scene.objects])
