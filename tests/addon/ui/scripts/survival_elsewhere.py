"""A run that is watched from another scene."""

import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=200, step_s=0.004)
begun = bpy.context.scene
other = bpy.data.scenes.new("Other")
bpy.context.view_layer.update()
job = run.generate()
run.until(lambda: job.step > 5 and run.preview() is None, "training")
windows = bpy.context.window_manager.windows


def in_other(condition: Any) -> None:
    with bpy.context.temp_override(scene=other, view_layer=other.view_layers[0]):
        assert bpy.context.scene == other
        run.until(condition, "a run that is watched from another scene")


in_other(lambda: run.preview() is not None)
seen = [scene.name for scene in run.preview().users_scene]
in_other(run.inserted(job))
obj = next(obj for obj in bpy.data.objects if "dreamfusion_recipe" in obj)
addon.tell(
    seen=seen,
    there=[scene.name for scene in obj.users_scene],
    begun=begun.name,
    active=begun.view_layers[0].objects.active == obj,
)
