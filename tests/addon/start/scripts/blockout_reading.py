"""What is read of the meshes that an object begins from, against what Blender itself says; and what is refused."""

import struct
import sys
from pathlib import Path
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests"))
from fakes.painted_glb import box_of

folder = Path(sys.argv[1])
blockout = addon.part("ui.scene.blockout")
file = addon.part("core.engine.painted_glb")
glb = addon.part("core.engine.glb")
context = bpy.context
said: dict[str, Any] = {}


def cube(name: str, where: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Any:
    bpy.ops.mesh.primitive_cube_add(location=where)
    context.object.name = name
    return context.object


def volume(read: Any) -> float:
    """Of what the file encloses: six times a tetrahedron for each triangle. Above 0 where triangles look outwards."""
    total = 0.0
    for part in glb.read_parts(read.file):
        places = [part.positions[3 * corner : 3 * corner + 3] for corner in part.triangles]
        for a, b, c in zip(places[0::3], places[1::3], places[2::3], strict=True):
            total += a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2])
            total += a[2] * (b[0] * c[1] - b[1] * c[0])
    return total / 6.0


def told(read: Any) -> list[Any]:
    return [[round(value, 4) for corner in box_of(read.file) for value in corner], [round(v, 4) for v in read.base]]


def refusal(*objects: Any) -> list[str]:
    try:
        blockout.read(context, list(objects))
    except addon.part("core.job").EngineTrouble as error:
        trouble = error.trouble
        return [trouble.code, trouble.what, trouble.why, trouble.fix]
    return []


def state(obj: Any) -> list[Any]:
    mesh = obj.data
    return [
        [tuple(vertex.co) for vertex in mesh.vertices],
        [tuple(row) for row in obj.matrix_world],
        obj.hide_get() if obj.name in context.view_layer.objects else None,
        obj.hide_viewport,
        obj.select_get() if obj.name in context.view_layer.objects else None,
    ]


# One cube, moved, turned, stretched, with a modifier; nothing of it changes.
block = cube("Block", (10.0, 20.0, 30.0))
block.scale = (1.0, 2.0, 3.0)
block.rotation_euler.z = 1.5707963
block.modifiers.new("Subdivision", "SUBSURF").subdivision_type = "SIMPLE"
context.view_layer.update()
before = state(block)
read = blockout.read(context, [block])
said["block"] = [*told(read), round(read.size, 4), state(block) == before]
said["volume"] = volume(read)
said["vertices"] = len(glb.read_parts(read.file)[0].positions) // 3

# Mirrored: its triangles still look outwards.
mirrored = cube("Mirrored")
mirrored.scale.x = -1.0
context.view_layer.update()
said["mirrored"] = volume(blockout.read(context, [mirrored]))

# Far from the middle of the world it is as exact as near.
far = cube("Far", (2.0e6, 0.0, 0.0))
context.view_layer.update()
said["far"] = told(blockout.read(context, [far]))

# Two objects: one box, a node each.
box, roof = cube("Box", (0.0, 0.0, 1.0)), cube("Roof", (0.0, 0.0, 3.0))
context.view_layer.update()
read = blockout.read(context, [box, roof])
said["two"] = [*told(read), [noted["name"] for noted in read.objects], "faces" in read.objects[0]]

# Hidden, by the eye and by the screen: read with its modifiers, and hidden again.
block.hide_set(True)
block.hide_viewport = True
context.view_layer.update()
before = state(block)
hidden = blockout.read(context, [block])
said["hidden"] = [len(glb.read_parts(hidden.file)[0].positions) // 3, state(block) == before]
block.hide_viewport = False
block.hide_set(False)

# Loose vertices, an open surface and one without area are no reason to refuse here.
bpy.ops.mesh.primitive_plane_add()
said["open"] = refusal(context.object)

# Refused: no faces, numbers that are none, too many faces, instances.
empty = bpy.data.objects.new("No Faces", bpy.data.meshes.new("No Faces"))
context.scene.collection.objects.link(empty)
points = cube("Points")
points.modifiers.new("Mask", "MASK").vertex_group = points.vertex_groups.new(name="Nothing").name
broken = cube("Broken")
broken.data.vertices[0].co.x = float("nan")
nowhere = cube("Nowhere")
nowhere.data.vertices[0].co.x = float("inf")
huge = cube("Huge")
huge.scale = (1e9, 1e9, 1e9)
parent, child = cube("Parent"), cube("Child")
child.parent, parent.instance_type = parent, "VERTS"
gone = bpy.data.objects.new("Elsewhere", block.data)
edited = cube("Edited")
context.view_layer.update()
everything = {obj.name: state(obj)[1:] for obj in bpy.data.objects}
said["refused"] = {
    "no faces": refusal(empty),
    "masked": refusal(points),
    "nan": refusal(broken),
    "infinite": refusal(nowhere),
    "huge": refusal(huge),
    "instances": refusal(parent),
    "elsewhere": refusal(gone),
}
blockout.MOST_TRIANGLES = 20
said["refused"]["many"] = refusal(box, roof)
blockout.MOST_TRIANGLES = 5_000_000
blockout._FILE_LIMIT = 100
said["refused"]["long"] = refusal(box)
said["as it was"] = everything == {obj.name: state(obj)[1:] for obj in bpy.data.objects}

# What a glance tells.
glance: dict[str, str] = {}
bpy.ops.object.select_all(action="DESELECT")
glance["nothing"] = blockout.obstacle(context, "NOTHING", None)
glance["no object"] = blockout.obstacle(context, "OBJECT", None)
glance["no selection"] = blockout.obstacle(context, "SELECTED", None)
glance["good"] = blockout.obstacle(context, "OBJECT", box)
glance["no faces"] = blockout.obstacle(context, "OBJECT", empty)
glance["elsewhere"] = blockout.obstacle(context, "OBJECT", gone)
curve = bpy.data.objects.new("Curve", bpy.data.curves.new("Curve", "CURVE"))
context.scene.collection.objects.link(curve)
curve.select_set(True)
glance["curve"] = blockout.obstacle(context, "SELECTED", None)
curve.select_set(False)
edited.select_set(True)
context.view_layer.objects.active = edited
for mode in ("EDIT", "SCULPT"):
    bpy.ops.object.mode_set(mode=mode)
    glance[mode] = blockout.obstacle(context, "OBJECT", edited)
    glance[f"beside {mode}"] = blockout.obstacle(context, "OBJECT", box)
    bpy.ops.object.mode_set(mode="OBJECT")
said["glance"] = glance

# Of another file it is only read, so that is allowed.
bpy.data.libraries.write(str(folder / "library.blend"), {box})
with bpy.data.libraries.load(str(folder / "library.blend"), link=True) as (inside, outside):
    outside.objects = ["Box"]
linked = outside.objects[0]
context.scene.collection.objects.link(linked)
context.view_layer.update()
blockout._FILE_LIMIT = 1 << 28
said["linked"] = [blockout.obstacle(context, "OBJECT", linked), told(blockout.read(context, [linked]))[0]]
(magic,) = struct.unpack_from("<4s", read.file)
said["magic"] = magic.decode()
addon.tell(**said)
