"""Replace placeholders of many kinds, and tell where the result stands in the world."""

import math
import sys
from pathlib import Path
from typing import Any

import addon
import bpy
from mathutils import Vector

job, placement, result = addon.part("core.job"), addon.part("ui.scene.placement"), addon.part("ui.scene.insert")
GLB = Path(sys.argv[1])
context = bpy.context
scene = context.scene
said: dict[str, Any] = {}


def collection(name: str) -> Any:
    made = bpy.data.collections.new(name)
    scene.collection.children.link(made)
    return made


def empty(name: str, display: str = "PLAIN_AXES", size: float = 1.0, home: Any = None) -> Any:
    obj = bpy.data.objects.new(name, None)
    obj.empty_display_type, obj.empty_display_size = display, size
    (home or scene.collection).objects.link(obj)
    return obj


def box(name: str, low: tuple[float, ...], high: tuple[float, ...], home: Any = None) -> Any:
    corners = [(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    mesh = bpy.data.meshes.new(name)
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh.from_pydata(corners, [], faces)
    obj = bpy.data.objects.new(name, mesh)
    (home or scene.collection).objects.link(obj)
    return obj


def put(placeholder: Any, after: str = "REMOVE", prompt: str = "a thing") -> Any:
    context.view_layer.update()
    where = placement.captured(context, placeholder=placeholder, after=after)
    obj = result.insert(context, GLB, job.Recipe(prompt), where)
    context.view_layer.update()
    return obj


def world_box(obj: Any) -> list[list[float]]:
    points = [obj.matrix_world @ vertex.co for vertex in obj.data.vertices]
    return [[min(p[i] for p in points) for i in range(3)], [max(p[i] for p in points) for i in range(3)]]


def nose(obj: Any) -> list[float]:
    """Where in the world the front is: the direction from the middle of the foot's circle to the nose, in XY."""
    top = max((vertex.co for vertex in obj.data.vertices), key=lambda co: co.z)
    front = max((vertex.co for vertex in obj.data.vertices), key=lambda co: -co.y / abs(obj.scale.y))
    away = obj.matrix_world.to_3x3() @ Vector((front.x - top.x, front.y - top.y, 0.0))
    return list(away.normalized())


# An empty on the floor: the result stands on it.
a = empty("Axes", size=0.5)
a.location = (1, 2, 3)
obj = put(a)
said["axes"] = {
    "gone": "Axes" not in bpy.data.objects,
    "location": list(obj.location),
    "scale": list(obj.scale),
    "box": world_box(obj),
    "nose": nose(obj),
}

# An empty that strips of an action move: the result goes where it would have gone.
n = empty("Striped")
n.location.x = 0.0
n.keyframe_insert("location", index=0, frame=1)
n.location.x = 8.0
n.keyframe_insert("location", index=0, frame=9)
animation = n.animation_data
action, slot = animation.action, getattr(animation, "action_slot", None)
animation.action = None
for number, (start, end) in enumerate(((3, 19), (25, 41))):
    track = animation.nla_tracks.new(prev=animation.nla_tracks[-1] if number else None)
    strip = track.strips.new("walk", start, action)
    if slot is not None:
        strip.action_slot = slot
    strip.frame_end, strip.blend_type, track.name = end, "ADD" if number else "REPLACE", f"Track {number}"
    strip.use_reverse = bool(number)


def places(obj: Any) -> list[float]:
    found = []
    for frame in (1, 6, 11, 18, 22, 27, 33, 40, 50):
        scene.frame_set(frame)
        found.append(obj.matrix_world.translation.x)
    scene.frame_set(1)
    return found


expected = places(n)
obj = put(n)
said["striped"] = {
    "expected": expected,
    "found": places(obj),
    "tracks": [t.name for t in obj.animation_data.nla_tracks],
}
bpy.data.objects.remove(obj)

# A cube empty, turned and stretched, in a collection, with a parent that is moved and turned.
home = collection("Set")
parent = empty("Parent")
parent.location, parent.rotation_euler = (5, 0, 0), (0, 0, math.radians(90))
b = empty("Cube", "CUBE", 1.0, home)
b.parent = parent
b.location, b.scale = (0, 0, 2), (1, 2, 3)
obj = put(b, prompt="b")
said["cube"] = {
    "parent": obj.parent.name,
    "collections": [c.name for c in obj.users_collection],
    "scale": list(obj.scale),
    "box": world_box(obj),
    "nose": nose(obj),
    "origin": list(obj.matrix_world.translation),
}

# A mesh with its origin anywhere, kept hidden.
c = box("Blockout", (1, 1, 1), (2, 4, 2))
c.rotation_euler = (0, 0, math.radians(180))
obj = put(c, after="HIDE", prompt="c")
said["mesh"] = {
    "kept": "Blockout" in bpy.data.objects,
    "hidden": c.hide_get() and c.hide_render,
    "box": world_box(obj),
    "origin": list(obj.matrix_world.translation),
    "rotation": list(obj.rotation_euler),
}

# One that things hang on: a child, a camera that tracks it, an animation, a constraint.
d = empty("Rigged", "CUBE", 1.0)
d.location, d.scale = (10, 0, 1), (2, 2, 1)
child = empty("Child")
child.parent, child.location = d, (0, 0, 1)
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
scene.collection.objects.link(camera)
track = camera.constraints.new("TRACK_TO")
track.target = d
d.keyframe_insert("location", frame=1)
d.location = (10, 5, 1)
d.keyframe_insert("location", frame=11)
limit = d.constraints.new("LIMIT_LOCATION")
limit.use_min_z, limit.min_z = True, -7.0
scene.frame_set(1)
context.view_layer.update()
before = list(child.matrix_world.translation)
obj = put(d, prompt="d")
here = world_box(obj)
scene.frame_set(11)
context.view_layer.update()
said["rigged"] = {
    "box": here,
    "later": world_box(obj),
    "child_parent": child.parent.name,
    "child_before": before,
    "child_after": list(child.matrix_world.translation - Vector((0, 5, 0))),
    "target": track.target.name,
    "name": obj.name,
    "constraints": [[k.type, k.min_z] for k in obj.constraints],
    "scale": list(obj.scale),
}
scene.frame_set(1)

# One that has gone meanwhile: the result stands where it stood.
e = empty("Gone", "CUBE", 2.0)
e.location = (0, 0, 10)
context.view_layer.update()
where = placement.captured(context, placeholder=e)
bpy.data.objects.remove(e)
obj = result.insert(context, GLB, job.Recipe("e"), where)
context.view_layer.update()
said["gone"] = {"box": world_box(obj), "origin": list(obj.location)}

# One that is being edited is kept.
f = box("Edited", (-1, -1, 0), (1, 1, 2))
context.view_layer.objects.active = f
bpy.ops.object.mode_set(mode="EDIT")
obj = put(f, prompt="f")
said["edited"] = {"kept": "Edited" in bpy.data.objects, "mode": context.mode, "box": world_box(obj)}
bpy.ops.object.mode_set(mode="OBJECT")

# Flat, mirrored, tiny.
g = box("Flat", (-1, -1, 0), (1, 1, 0))
said["flat"] = {"box": world_box(put(g, prompt="g"))}
h = box("Mirrored", (0, 0, 0), (1, 1, 2))
h.scale = (-1, 1, 1)
said["mirrored"] = {"box": world_box(put(h, prompt="h"))}
k = empty("Zero", "CUBE", 1.0)
k.scale = (0, 0, 0)
obj = put(k, prompt="k")
said["zero"] = {"finite": all(math.isfinite(v) for corner in world_box(obj) for v in corner)}

# Undo brings the placeholder back.
m = empty("Undone", "CUBE", 1.0)
bpy.ops.ed.undo_push(message="placeholder")
name = put(m, prompt="m").name
bpy.ops.ed.undo()
said["undo"] = {"back": "Undone" in bpy.data.objects, "gone": name not in bpy.data.objects}

# On the ground, and at the world's origin.
scene = bpy.context.scene  # undo has ended the life of the old one
scene.cursor.location = (1, 1, 5)
for key, options in (("ground", {"on_ground": True}), ("origin", {"where": "ORIGIN"}), ("cursor", {})):
    obj = result.insert(bpy.context, GLB, job.Recipe(key), placement.captured(bpy.context, size=2.0, **options))
    said[key] = list(obj.location)
# Values of another version, or of a damaged job folder.
for number, values in enumerate(({}, {"size": "big", "where": 3, "location": [1], "after": None}, {"size": -1.0})):
    result.insert(bpy.context, GLB, job.Recipe(f"odd{number}"), values)
said["odd"] = [list(bpy.data.objects[f"Odd{number}"].location) for number in range(3)]
addon.tell(**said)
