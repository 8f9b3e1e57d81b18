"""Texture This with the scripted engine: the growing texture, saving, undo, cancel, the result, and a new start."""

import shutil
import sys
from typing import Any

import addon
import artist
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

said: dict[str, Any] = {"numpy": artist.HAS_NUMPY}
folder = artist.folder()
run = Run(steps=100_000, step_s=0.002)
previews = addon.part("ui.scene.texture.texture_preview")
context = bpy.context


def skins() -> list[Any]:
    return [obj for obj in bpy.data.objects if previews.JOB in obj]


def leftovers() -> list[str]:
    kinds = (bpy.data.objects, bpy.data.meshes, bpy.data.materials, bpy.data.images)
    return [block.name for kind in kinds for block in kind if "Preview" in block.name or previews.JOB in block]


def shown() -> bool:
    """Whether every skin has a picture on every material."""
    found = skins()
    return len(found) == 2 and all(
        any(node.type == "TEX_IMAGE" and node.image for node in material.node_tree.nodes)
        for skin in found
        for material in skin.data.materials
    )


def texture(prompt: str = "a red mug") -> Any:
    run.settings.task, run.settings.prompt = "TEXTURE", prompt
    assert bpy.ops.dreamfusion.texture() == {"FINISHED"}
    return run.jobs[-1]


cube, grid = artist.cube("Cube", (1.0, 0.0, 0.0)), artist.grid("Grid")
cube.data.materials.append(artist.material("Second"))
cube.data.polygons[0].material_index = 1
artist.select()
said["grey"] = bpy.ops.dreamfusion.texture.poll()
artist.select(cube, grid)
said["no prompt"] = bpy.ops.dreamfusion.texture.poll()
run.settings.texture.size = "1024"
run.settings.texture.front = "RIGHT"
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "a.blend"))
bpy.ops.ed.undo_push(message="begin")
mine = [artist.everything(cube), artist.everything(grid), artist.nodes(cube.data.materials[0])]
slots = [[slot.material and slot.material.name for slot in obj.material_slots] for obj in (cube, grid)]


def untouched() -> list[bool]:
    cube, grid = bpy.data.objects["Cube"], bpy.data.objects["Grid"]
    now = [artist.everything(cube), artist.everything(grid), artist.nodes(cube.data.materials[0])]
    names = [[slot.material and slot.material.name for slot in obj.material_slots] for obj in (cube, grid)]
    return [now == mine, names == slots]


# It grows on the objects, and follows them.
job = texture()
said["sent"] = [job.recipe.settings, job.task, len(job.placement["texture"]["parts"])]
run.until(shown, "a texture on every object")
skin = next(obj for obj in skins() if obj[previews.NUMBER] == 0)
said["skin"] = [skin.hide_select, skin.hide_render, len(skin.data.vertices), len(skin.data.materials)]
said["skin parts"] = [
    artist.part_of(next(node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE"))
    for material in skin.data.materials
]
said["growing"] = untouched()
context.view_layer.update()
edge = max((skin.matrix_world @ vertex.co).x for vertex in skin.data.vertices)
cube.location.x += 3.0
context.view_layer.update()
run.ticks(0.3)
context.view_layer.update()
said["followed"] = [edge, max((skin.matrix_world @ vertex.co).x for vertex in skin.data.vertices)]
cube.location.x -= 3.0
cube.hide_viewport = True
run.ticks(0.3)
said["hidden"] = skin.hide_viewport
cube.hide_viewport = False
context.view_layer.update()
artist.select(cube)
bpy.ops.object.mode_set(mode="EDIT")
run.ticks(0.3)
said["edited"] = skin.hide_viewport
bpy.ops.object.mode_set(mode="OBJECT")
artist.select(cube, grid)
run.ticks(0.3)
said["back"] = [skin.hide_viewport, untouched()]

# A file that is saved meanwhile has nothing of it, and it is back afterwards.
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "a.blend"))
said["saved"] = [len(skins()), leftovers(), untouched()]
run.until(shown, "the texture after saving")
shutil.copy(folder / "a.blend", folder / "copy.blend")
with bpy.data.libraries.load(str(folder / "copy.blend")) as (inside, _):
    said["in file"] = [name for kind in (inside.objects, inside.meshes, inside.materials) for name in kind]
    said["images in file"] = [name for name in inside.images if "Preview" in name]

# Undo and redo.
grid.location.z = 1.0
bpy.ops.ed.undo_push(message="move")
bpy.ops.ed.undo()
run.until(shown, "the texture after undo")
said["undo"] = [len(skins()), untouched()]
bpy.ops.ed.redo()
run.until(shown, "the texture after redo")
bpy.ops.ed.undo()

# A file that Blender saved by itself, as before a crash.
bpy.app.handlers.save_pre.clear()
run.until(shown, "the texture again")
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "b.blend"), copy=True)
bpy.app.handlers.save_pre.append(previews._before_save)
bpy.app.handlers.save_pre.append(run.previews._before_save)
bpy.ops.wm.open_mainfile(filepath=str(folder / "b.blend"))
said["recovered"] = [leftovers(), untouched()]

# Another file: nothing is shown there, and the job goes on.
bpy.ops.wm.read_homefile(use_empty=True)
run.prepare()
run.ticks(0.6)
said["elsewhere"] = [leftovers(), job.state.value]
bpy.ops.wm.open_mainfile(filepath=str(folder / "a.blend"))
run.until(shown, "the texture in its file")
said["reopened"] = untouched()

# Cancelled: gone. Resumed and stopped early: the result, one undo step.
bpy.ops.dreamfusion.cancel()
run.until(lambda: job.state.value == "cancelled", "a cancelled job")
said["cancelled"] = [leftovers(), untouched()]
bpy.ops.dreamfusion.resume_job(job_id=job.id)
run.until(lambda: job.state.value == "running" and job.stage == "train", "training")
bpy.ops.dreamfusion.finish()
bpy.ops.ed.undo_push(message="before")
run.until(run.inserted(job), "the texture")
cube, grid = bpy.data.objects["Cube"], bpy.data.objects["Grid"]
said["done"] = [
    leftovers(),
    [artist.part_of(artist.base_image(slot.material)) for obj in (cube, grid) for slot in obj.material_slots],
    [slot.material.name for slot in cube.material_slots],
    len(bpy.data.objects),
    job.state.value,
]
bpy.ops.ed.undo()
said["undone"] = untouched()
bpy.ops.ed.redo()
said["redone"] = artist.part_of(artist.base_image(bpy.data.objects["Cube"].material_slots[1].material))
bpy.ops.ed.undo()

# The engine dies: gone, and the objects are as they were.
artist.select(bpy.data.objects["Cube"], bpy.data.objects["Grid"])
died = texture("a die mug")
run.until(lambda: died.state.over or died.state.value == "queued" and died.started, "a dead engine")
run.until(lambda: run.session.queue.engine_state != "ready" or died.state.over, "the end of it")
run.ticks(0.3)
said["died"] = [leftovers() if died.state.over else [], untouched()]
bpy.ops.dreamfusion.cancel(job_id=died.id)

# Another seed takes the same meshes; the objects that are gone are told, and the copies are offered.
run.steps = 20
run.prepare()
artist.select(bpy.data.objects["Grid"])
quick = texture("a blue mug")
run.until(run.inserted(quick), "a quick texture")
bpy.ops.dreamfusion.next_seed(job_id=quick.id)
second = run.jobs[-1]
bpy.data.objects.remove(bpy.data.objects["Grid"])
run.until(lambda: second.state.value == "done" and second.id not in run.session.waiting, "a texture without an object")
trouble = run.session.trouble
said["gone"] = [trouble.code, trouble.why, second.inserted, second.recipe.seed, second.task]
count = len(bpy.data.objects)
said["insert"] = bpy.ops.dreamfusion.insert_copies(job_id=second.id) == {"FINISHED"}
said["copies"] = [len(bpy.data.objects) - count, context.view_layer.objects.active.name]

# It waits for Object Mode, and is applied from the results as well.
artist.select(bpy.data.objects["Cube"])
waiting = texture("a green mug")
bpy.ops.object.mode_set(mode="EDIT")
run.until(lambda: waiting.state.value == "done", "a texture that waits")
run.ticks(0.3)
said["waits"] = [waiting.inserted, run.session.waiting == [waiting.id]]
bpy.ops.object.mode_set(mode="OBJECT")
run.until(run.inserted(waiting), "the texture that waited")
said["again"] = bpy.ops.dreamfusion.insert(job_id=waiting.id) == {"FINISHED"}
bpy.ops.dreamfusion.use_settings(job_id=waiting.id)
said["settings"] = [run.settings.task, run.settings.texture.size, run.settings.texture.front, run.settings.prompt]
run.texture = texture("slow mug")
run.until(lambda: bool(skins()), "the last texture")
addon.disable()
said["disabled"] = [leftovers(), run.children()]
addon.tell(**said)
