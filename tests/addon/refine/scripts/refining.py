"""Refine with the scripted engine: from the button to the new mesh, whatever the artist does between."""

import sys
from array import array
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
sys.path.insert(0, str(addon.ROOT / "tests"))
from fakes.painted_glb import box_of
from pumping import Run

said: dict[str, Any] = {}
run = Run(steps=10)
context = bpy.context
recipes, source = addon.part("ui.scene.object_recipe"), addon.part("ui.scene.refine_source")
glb = addon.part("core.engine.glb")


def box(obj: Any) -> list[float]:
    context.view_layer.update()
    points = [obj.matrix_world @ vertex.co for vertex in obj.data.vertices]
    return [round(f(point[axis] for point in points), 3) for f in (min, max) for axis in range(3)]


def picture(obj: Any) -> Any:
    """The image at the base colour of the object's only material."""
    (slot,) = obj.material_slots
    node = next(node for node in slot.material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    return node.inputs["Base Color"].links[0].from_node.image


def state(obj: Any) -> list[Any]:
    return [obj.data.name, [tuple(vertex.co) for vertex in obj.data.vertices], obj.material_slots[0].material.name]


def refine(steps: int = 10) -> Any:
    """Press Refine with so many steps; the job."""
    made = addon.part("ui.run.refining")
    plain = made.recipe

    def short(made_by: Any) -> Any:
        found = plain(made_by)
        found.settings["optimize"] = {"steps": steps}
        return found

    made.recipe = short
    try:
        assert bpy.ops.dreamfusion.refine() == {"FINISHED"}
    finally:
        made.recipe = plain
    return run.jobs[-1]


def sent(job: Any) -> list[Any]:
    """The parts that were sent: triangles, whether they have UVs, the picture's first bytes, the colour."""
    data = (job.folder / "source.glb").read_bytes()
    return [
        [len(part.triangles) // 3, bool(part.uvs), part.image[:4].hex(), [round(v, 3) for v in part.colour]]
        for part in glb.read_parts(data)
    ]


said["grey"] = bpy.ops.dreamfusion.refine.poll()
first = run.generate("a red mug")
run.until(run.inserted(first), "an object")
mug = context.view_layer.objects.active
mug.location, mug.rotation_euler.z, mug.scale = (5.0, 6.0, 7.0), 1.0, (1.0, 2.0, 3.0)
context.view_layer.update()
material = mug.material_slots[0].material
next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED").inputs["Roughness"].default_value = 0.25
said["poll"] = bpy.ops.dreamfusion.refine.poll()
plain = addon.part("ui.run.refining").recipe(recipes.read(mug))
said["recipe"] = [plain.prompt, plain.seed, plain.settings]

# The object as it looks is sent, in its own axes at its size; the result takes the place of its mesh, as one undo step.
bpy.ops.ed.undo_push(message="begin")
before, stood, vertices = state(mug), box(mug), len(mug.data.vertices)
job = refine()
run.until(lambda: job.state.value == "done", "a refined mesh")
corners = box_of((job.folder / "source.glb").read_bytes())
said["sent"] = [job.task, sent(job), [round(value, 3) for corner in corners for value in corner]]
run.until(run.inserted(job), "the refined mesh")
mug = bpy.data.objects["Red mug"]
after = next(n for n in mug.material_slots[0].material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
said["replaced"] = [
    box(mug),
    stood,
    mug.data.name != before[0],
    before[0] in bpy.data.meshes,
    picture(mug).name.startswith("Red mug refined") and picture(mug).packed_file is not None,
    round(after.inputs["Roughness"].default_value, 3),
    [list(mug.location), [round(v, 3) for v in mug.scale]],
    recipes.read(mug).prompt,
    len([obj for obj in bpy.data.objects if recipes.is_result(obj)]),
    run.session.notice,
]
bpy.ops.ed.undo()
mug = bpy.data.objects["Red mug"]
said["undone"] = state(mug) == before
bpy.ops.ed.redo()
mug = bpy.data.objects["Red mug"]
said["redone"] = mug.data.name != before[0]

# Decimated and sculpted, with a texture that was painted on: what is seen is sent.
context.view_layer.objects.active = mug
bpy.ops.dreamfusion.decimate(ratio=0.5)
mug.data.vertices[0].co.z += 1.0
image = picture(mug)
image.pixels[0] = 0.0
image.update()
said["dirty"] = image.is_dirty
job = refine()
run.until(run.inserted(job), "a decimated one")
said["decimated"] = [sent(job)[0][0] < 840, sent(job)[0][1:3]]
(part,) = glb.read_parts((job.folder / "source.glb").read_bytes())
copy = addon.part("ui.scene.material").packed_image("Sent", part.image)
pixels = [array("f", bytes(16 * each.size[0] * each.size[1])) for each in (image, copy)]
for each, values in zip((image, copy), pixels, strict=True):
    each.pixels.foreach_get(values)
said["painted"] = max(abs(a - b) for a, b in zip(*pixels, strict=True))

# Cancelled and resumed: nothing changes before the end.
before = state(mug)
job = refine(100_000)
run.until(lambda: job.step > 20, "some steps")
said["growing"] = [run.preview() is None, state(mug) == before]
bpy.ops.dreamfusion.cancel()
run.until(lambda: job.state.value == "cancelled", "a cancelled job")
said["cancelled"] = state(mug) == before
bpy.ops.dreamfusion.resume_job(job_id=job.id)
run.until(lambda: job.state.value == "running" and job.stage == "train", "training")
bpy.ops.dreamfusion.finish()
run.until(run.inserted(job), "the resumed one")
said["resumed"] = state(mug) != before

# A modifier or a shape key, and a change meanwhile: beside it, and told.
twin = bpy.data.objects.new("Twin", mug.data)
context.scene.collection.objects.link(twin)


def beside(change: Any) -> list[Any]:
    context.view_layer.objects.active = bpy.data.objects["Red mug"]
    count, old = len(bpy.data.objects), state(mug)
    job = refine()
    change()
    run.until(run.inserted(job), "one beside it")
    made = context.view_layer.objects.active
    return [len(bpy.data.objects) - count, made.name, state(mug) == old, run.session.notice]


mug.modifiers.new("Wave", "WAVE")
said["modifiers"] = beside(lambda: None)
mug.modifiers.clear()
sides = zip(mug.dimensions, context.view_layer.objects.active.dimensions, strict=True)
said["as large"] = [round(b - a, 2) for a, b in sides]
mug.shape_key_add(name="Basis")
said["shape keys"] = beside(lambda: None)
mug.shape_key_clear()


def moved() -> None:
    mug.data.vertices[0].co.x += 1.0


def gone() -> None:
    bpy.data.objects.remove(mug)


changed = beside(moved)
said["changed"] = [changed[0], changed[3]]
# Others that use the mesh keep it.
context.view_layer.objects.active = mug
shared = mug.data.name
job = refine()
run.until(run.inserted(job), "one of two users")
said["twin"] = [twin.data.name == shared, mug.data.name != shared]
context.view_layer.objects.active = mug
count = len(bpy.data.objects)
job = refine()
gone()
run.until(run.inserted(job), "one without its object")
said["gone"] = [len(bpy.data.objects) - count, "gone" in run.session.notice]

# Two materials, one without a picture; UDIM tiles and too many faces are refused with words.
made = context.view_layer.objects.active
made.data.materials.append(bpy.data.materials.new("Plain"))
made.data.polygons.foreach_set("material_index", array("i", [number % 2 for number in range(len(made.data.polygons))]))
job = refine()
run.until(run.inserted(job), "one of two materials")
said["two"] = [[part[1:3] for part in sent(job)], len(made.material_slots)]
source.MOST_TRIANGLES = 10
said["many"] = [bpy.ops.dreamfusion.refine.poll(), source.obstacle(made)]
said["bug"] = str(run.session.bug)
addon.disable()
addon.tell(**said)
