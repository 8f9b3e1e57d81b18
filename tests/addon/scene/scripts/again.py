"""Generate into a placeholder with the scripted engine; then Variation, Regenerate and Mark as Asset on the result."""

import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

said: dict[str, Any] = {}
run = Run(steps=10)
context = bpy.context
said["grey"] = [bpy.ops.dreamfusion.variation.poll(), bpy.ops.dreamfusion.regenerate.poll()]
empty = bpy.data.objects.new("Place", None)
empty.location = (3, 0, 0)
context.scene.collection.objects.link(empty)
context.view_layer.update()
run.settings.placement.placeholder = empty
run.settings.placement.after = "REMOVE"
run.settings.seed = 5
first = run.generate("a red hamburger")
run.until(run.inserted(first), "the first object")
obj = context.view_layer.objects.active
recipe = addon.part("ui.scene.object_recipe")
said["first"] = {
    "removed": "Place" not in bpy.data.objects,
    "placeholder": run.settings.placement.placeholder is None,
    "location": list(obj.location),
    "job": recipe.job_id(obj) == first.id,
    "seed": recipe.read(obj).seed,
}
context.view_layer.update()
width = obj.dimensions.x
bpy.ops.dreamfusion.variation()
bpy.ops.dreamfusion.variation()
bpy.ops.dreamfusion.regenerate()
jobs = run.jobs[1:]
said["seeds"] = [job.recipe.seed for job in jobs]
said["prompts"] = [job.recipe.prompt for job in jobs]
said["settings"] = [job.recipe.settings == first.recipe.settings for job in jobs]
said["steps"] = [(job.placement["location"][0] - 3.0) / width for job in jobs]
run.until(lambda: all(job.inserted for job in jobs), "all objects")
made = [other for other in bpy.data.objects if recipe.is_result(other)]
context.view_layer.update()
said["places"] = sorted(round((other.matrix_world.translation.x - 3.0) / width, 3) for other in made)
said["sizes"] = [max(other.dimensions) for other in made]

context.view_layer.objects.active = obj
bpy.ops.dreamfusion.mark_asset()
preview = obj.preview
said["picture"] = list(preview.image_size)
size = addon.part("ui.scene.icons").decoded(first.thumbnail.read_bytes())
said["thumbnail"] = [size.width, size.height]
addon.disable()
addon.tell(**said)
