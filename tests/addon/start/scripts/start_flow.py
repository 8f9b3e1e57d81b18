"""Start from a mesh with the scripted engine: from Placement to the object in its place, whatever happens between."""

import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import draw

said: dict[str, Any] = {}
run = Run(steps=100_000, step_s=0.002)
context = bpy.context
recipes = addon.part("ui.scene.object_recipe")
Placement = bpy.types.DREAMFUSION_PT_placement


def cube(name: str, where: tuple[float, float, float]) -> Any:
    bpy.ops.mesh.primitive_cube_add(location=where)
    context.object.name = name
    return context.object


def box(obj: Any) -> list[float]:
    context.view_layer.update()
    points = [obj.matrix_world @ vertex.co for vertex in obj.data.vertices]
    return [round(f(point[axis] for point in points), 4) for f in (min, max) for axis in range(3)]


def hidden(obj: Any) -> list[bool]:
    return [obj.hide_get(), obj.hide_render]


def made() -> list[Any]:
    return [obj for obj in bpy.data.objects if recipes.is_result(obj)]


# What Placement shows, and what the buttons say.
settings, place = run.settings, run.settings.placement
run.greet()
settings.prompt = "a house"
said["nothing"] = [name.rpartition(".")[2] for name in draw(Placement).properties()]
said["recipe of nothing"] = "start" in addon.part("ui.run.enqueue").recipe(context).settings
place.start_from = "OBJECT"
said["no object"] = [
    bpy.ops.dreamfusion.generate.poll(),
    any("Choose the object" in t for t in draw(Placement).texts()),
]
block = cube("Block", (10.0, 20.0, 30.0))
block.scale = (1.0, 2.0, 3.0)
context.view_layer.update()
place.blockout = block
settings.start.lock = 0.8
place.front = "RIGHT"
said["object"] = [name.rpartition(".")[2] for name in draw(Placement).properties()]
bpy.ops.object.mode_set(mode="EDIT")
said["editing"] = bpy.ops.dreamfusion.generate.poll()
bpy.ops.object.mode_set(mode="OBJECT")
bpy.ops.ed.undo_push(message="begin")

# The object grows and ends where the block is; the block is hidden with the same undo step.
job = run.generate("a house")
said["sent"] = [job.recipe.settings["start"], job.task, job.placement["where"]]
run.until(lambda: run.preview() is not None, "a preview")
said["sent"] += [(job.folder / "source.glb").exists()]
said["growing"] = [box(run.preview()), hidden(block)]
# It is drawn over the block as long as the artist sees that; the block itself is as it was.
said["in front"] = [run.preview().show_in_front, block.show_in_front, block.display_type, block.hide_viewport]
block.hide_set(True)
run.until(lambda: run.preview() is not None and not run.preview().show_in_front, "a preview that is not in front")
block.hide_set(False)
run.until(lambda: run.preview() is not None and run.preview().show_in_front, "a preview in front")
bpy.ops.dreamfusion.finish()
run.until(run.inserted(job), "the house")
(house,) = made()
said["not in front"] = house.show_in_front
said["done"] = [box(house), list(house.location), list(house.scale), hidden(bpy.data.objects["Block"])]
bpy.ops.ed.undo()
said["undone"] = [len(made()), hidden(bpy.data.objects["Block"])]
bpy.ops.ed.redo()
said["redone"] = [len(made()), hidden(bpy.data.objects["Block"])]
settings, place = run.settings, run.settings.placement  # undo has made them anew
house, block = made()[0], bpy.data.objects["Block"]
said["kept"] = recipes.read(house).settings["start"]

# Again from the results: in the same place. Variation and Regenerate: beside it, from the same mesh, even without it.
block.hide_set(False)
block.hide_render = False
bpy.ops.dreamfusion.insert(job_id=job.id)
said["again"] = [sorted(map(box, made())) == [box(house)] * 2, hidden(block)]
house.location.z += 1.0
context.view_layer.objects.active = house
context.view_layer.update()
bpy.data.objects.remove(block)
job.recipe.settings["optimize"]["steps"] = 20
recipes.write(house, job.recipe, job.id)
bpy.ops.dreamfusion.variation()
bpy.ops.dreamfusion.regenerate()
others = run.jobs[1:]
run.until(lambda: all(other.inserted for other in others), "the others")
boxes = [box(obj) for obj in made() if obj.name not in ("House", "House.001")]
said["beside"] = [
    sorted(boxes),
    [other.recipe.seed for other in others],
    others[0].recipe.settings == job.recipe.settings,
]

# The settings of a job come back; its mesh is gone, and that is told.
place.start_from, place.front, settings.start.lock = "NOTHING", "FRONT", 0.5
bpy.ops.dreamfusion.use_settings(job_id=job.id)
said["settings"] = [place.start_from, place.front, round(settings.start.lock, 3), place.blockout is None]

# Without its job there is nothing to start from.
bpy.ops.dreamfusion.remove(job_id=job.id)
run.until(lambda: not job.folder.exists(), "a deleted folder")
context.view_layer.objects.active = house
try:
    said["lost"] = [str(bpy.ops.dreamfusion.regenerate())]
except RuntimeError as error:
    said["lost"] = [str(error)]
said["lost"] += [len(run.jobs)]

# Several selected ones, deleted while the job runs; cancelled and resumed. What is not there is not hidden.
place.start_from, place.hide_blockout = "SELECTED", True
one, two = cube("One", (0.0, 0.0, 1.0)), cube("Two", (0.0, 0.0, 3.0))
for obj in context.selected_objects:
    obj.select_set(obj in (one, two))
one.select_set(True)
run.steps = 100_000
run.prepare()
job = run.generate("a tower")
run.until(lambda: job.step > 30, "some steps")
bpy.data.objects.remove(one)
bpy.ops.dreamfusion.cancel()
run.until(lambda: job.state.value == "cancelled", "a cancelled job")
said["cancelled"] = [run.preview() is None, hidden(two)]
bpy.ops.dreamfusion.resume_job(job_id=job.id)
run.until(lambda: job.state.value == "running" and job.stage == "train", "training")
bpy.ops.dreamfusion.finish()
run.until(run.inserted(job), "the tower")
tower = context.view_layer.objects.active
said["tower"] = [tower.name, box(tower), hidden(two)]

# Not hidden where the artist does not want it; lines of a text begin from the same mesh; a texture has no start.
two.hide_set(False)
two.hide_render = False
place.start_from, place.blockout, place.hide_blockout = "OBJECT", two, False
run.steps = 10
run.prepare()
text = bpy.data.texts.new("Prompts")
text.write("a box\na crate\n")
settings.prompts = text
bpy.ops.dreamfusion.queue_text()
lines = run.jobs[-2:]
run.until(lambda: all(line.inserted for line in lines), "two lines")
said["lines"] = [hidden(two), [line.recipe.begins_from_mesh for line in lines]]
said["texture"] = "start" in addon.part("ui.run.enqueue").texture_recipe(context).settings

# A mesh that cannot be read: nothing is queued, and the panel says why.
two.data.vertices[0].co.x = float("nan")
settings.prompt = "a wreck"
count = len(run.jobs)
try:
    bpy.ops.dreamfusion.generate()
    said["bad"] = [""]
except RuntimeError as error:
    said["bad"] = [str(error)]
said["bad"] += [len(run.jobs) - count, run.session.trouble.code]

# In another file the object comes to the same place, and an object that has the name stays seen.
bpy.ops.wm.read_homefile(use_empty=True)
run.prepare()
stranger = cube("Two", (0.0, 0.0, 0.0))
bpy.ops.dreamfusion.insert(job_id=job.id)
said["elsewhere"] = [box(made()[0]), hidden(stranger)]
said["bug"] = str(run.session.bug)
addon.disable()
addon.tell(**said)
