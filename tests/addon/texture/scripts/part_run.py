"""Change Part with the scripted engine: from the operator to the result, cancel, undo, and an object that goes."""

import sys
from typing import Any

import addon
import artist
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

said: dict[str, Any] = {"numpy": artist.HAS_NUMPY}
run = Run(steps=100_000, step_s=0.002)
previews = addon.part("ui.scene.texture.texture_preview")
context = bpy.context


def skins() -> list[Any]:
    return [obj for obj in bpy.data.objects if previews.JOB in obj]


def leftovers() -> list[str]:
    kinds = (bpy.data.objects, bpy.data.meshes, bpy.data.materials, bpy.data.images)
    return [block.name for kind in kinds for block in kind if "Preview" in block.name or previews.JOB in block]


def select_faces(obj: Any, *numbers: int) -> None:
    artist.select(obj)
    for polygon in obj.data.polygons:
        polygon.select = polygon.index in numbers
    bpy.ops.object.mode_set(mode="EDIT")


def untouched() -> list[bool]:
    cube = bpy.data.objects["Cube"]
    nodes = artist.nodes(cube.data.materials[0])
    return [artist.everything(cube) == mine, nodes == old_nodes, sorted(cube.data.attributes.keys()) == attributes]


cube = artist.cube("Cube")
context.tool_settings.mesh_select_mode = (False, False, True)
bpy.ops.wm.save_as_mainfile(filepath=str(artist.folder() / "a.blend"))
select_faces(cube, 0)
bpy.ops.object.mode_set(mode="OBJECT")
mine, old_nodes = artist.everything(cube), artist.nodes(cube.data.materials[0])
attributes = sorted(cube.data.attributes.keys())
bpy.ops.ed.undo_push(message="begin")
said["grey"] = bpy.ops.dreamfusion.change_part.poll()
bpy.ops.object.mode_set(mode="EDIT")
said["ready"] = bpy.ops.dreamfusion.change_part.poll()
said["pressed"] = list(bpy.ops.dreamfusion.change_part(prompt="a white cube with a red side"))
said["mode"] = context.mode
bpy.ops.object.mode_set(mode="OBJECT")
job = run.jobs[-1]
said["job"] = [job.recipe.prompt, job.task, job.recipe.settings["paint"]["uv"]]
run.until(lambda: bool(skins()), "the part, growing")
said["skin"] = [len(skins()), len(skins()[0].data.polygons)]
said["growing"] = untouched()
bpy.ops.dreamfusion.cancel()
run.until(lambda: job.state.value == "cancelled", "a cancelled job")
said["cancelled"] = [leftovers(), untouched()]
bpy.ops.dreamfusion.resume_job(job_id=job.id)
run.until(lambda: job.state.value == "running" and job.stage == "train", "training")
bpy.ops.dreamfusion.finish()
run.until(run.inserted(job), "the part")
cube = bpy.data.objects["Cube"]
said["done"] = [artist.base_image(cube.data.materials[0]).name, leftovers(), artist.everything(cube) == mine]
bpy.ops.ed.undo()
said["undone"] = untouched()

# The shape too: the job says so, and a cancelled one leaves everything as it was.
select_faces(bpy.data.objects["Cube"], 0)
bpy.ops.dreamfusion.change_part(prompt="a cube with a round side", change="SHAPE")
bpy.ops.object.mode_set(mode="OBJECT")
shaped = run.jobs[-1]
said["shape"] = [shaped.recipe.settings["paint"], [sorted(each) for each in shaped.placement["texture"]["objects"]]]
run.until(lambda: shaped.state.value == "running" and shaped.stage == "train", "training of a shape")
bpy.ops.dreamfusion.finish()
run.until(run.inserted(shaped), "the part with its shape")
# Once more with the next seed: not while the object has another shape than was sent.
bpy.data.objects["Cube"].data.vertices[0].co.x += 0.5
count = len(run.jobs)
said["again"] = []
for again in (bpy.ops.dreamfusion.next_seed, bpy.ops.dreamfusion.retry_job):
    try:
        said["again"].append(list(again(job_id=shaped.id)))
    except RuntimeError as error:
        said["again"].append(str(error))
said["again"].append(len(run.jobs) - count)
bpy.data.objects["Cube"].data.vertices[0].co.x -= 0.5
said["reshaped"] = artist.everything(bpy.data.objects["Cube"]) == mine  # each vertex is that of other faces too
bpy.ops.ed.undo()

# A bad selection is told, and nothing is queued.
count = len(run.jobs)
select_faces(bpy.data.objects["Cube"])
try:
    said["empty"] = list(bpy.ops.dreamfusion.change_part(prompt="a red cube"))
except RuntimeError as error:
    said["empty"] = str(error)
said["told"] = [run.session.trouble.code, len(run.jobs) - count, context.mode]
bpy.ops.object.mode_set(mode="OBJECT")

# The object is deleted while a job runs: the job ends, and says where its result is.
run.steps = 20
run.prepare()
select_faces(bpy.data.objects["Cube"], 1)
bpy.ops.dreamfusion.change_part(prompt="a blue cube")
bpy.ops.object.mode_set(mode="OBJECT")
gone = run.jobs[-1]
bpy.data.objects.remove(bpy.data.objects["Cube"])
run.until(lambda: gone.state.value == "done" and gone.id not in run.session.waiting, "a part without an object")
said["gone"] = [run.session.trouble.code, leftovers()]
addon.disable()
said["disabled"] = [leftovers(), run.children()]
addon.tell(**said)
