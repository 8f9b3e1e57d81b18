"""Undo and redo over the engine's first list."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from shown_settings import told

run = Run()
settings = run.settings
addon.part("ui.settings.artist_settings").reset(settings)
settings.model = "owner/painter"
bpy.ops.ed.undo_push(message="before")
settings.mesh.padding = 3
bpy.ops.ed.undo_push(message="padding")
run.greet()
told(run, "greeted")
bpy.ops.ed.undo()
run.ticks(0.1)
told(run, "undone")
bpy.ops.ed.redo()
run.ticks(0.1)
told(run, "redone")
