"""An empty gives place and size."""

import sys

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=20)
bpy.ops.object.empty_add(type="CUBE", location=(3.0, 0.0, 1.0))
empty = bpy.context.object
empty.empty_display_size = 1.5
place = run.settings.placement
place.placeholder, place.after = empty, "REMOVE"
name = empty.name
job = run.generate()
run.until(run.inserted(job), "the object")
obj = bpy.context.view_layer.objects.active
addon.tell(
    gone=name not in bpy.data.objects,
    pointer=place.placeholder is None,
    size=max(obj.dimensions),
    x=obj.matrix_world.translation.x,
    where=job.placement["where"],
)
