"""The preview object through a run: growing, deleted, undone, saved, opened, edited, and gone at the end."""

import shutil
import struct
import sys
import time
from array import array
from pathlib import Path
from typing import Any

import addon
import bpy
import effort
import scene_probe

glb = addon.part("core.engine.glb")
preview = addon.part("ui.scene.preview_object")
folder = Path(sys.argv[2])
body = glb.read_glb(Path(sys.argv[1]).read_bytes())
V, T = len(body.positions) // 3, len(body.triangles) // 3
raised = array("f", [value + 0.25 for value in body.positions])  # as in the engine's box, not on the ground
MESSAGE = raised.tobytes() + body.triangles.tobytes() + bytes([255, 128, 0]) * V
PLACE = {"where": "CURSOR", "location": [1.0, 2.0, 3.0], "size": 4.0}
said: dict[str, Any] = {}


def send(job: str = "job1", data: bytes = MESSAGE, v: int = V, t: int = T, place: dict[str, Any] = PLACE) -> bool:
    """Give the preview a message and a tick; whether it is shown."""
    return preview.show(job, data, v, t, place) and preview.tick(bpy.context)


def shown(job: str = "job1") -> list[Any]:
    """The preview objects of a job."""
    return [obj for obj in bpy.data.objects if obj.get("dreamfusion_preview") == job]


preview.register()
nothing = scene_probe.counts()
bpy.ops.ed.undo_push(message="empty")

# What it looks like.
send()
bpy.context.view_layer.update()
(obj,) = shown()
points = [obj.matrix_world @ vertex.co for vertex in obj.data.vertices]
attribute = obj.data.color_attributes[0]
material = obj.data.materials[0]
said["looks"] = {
    "box": [[min(p[i] for p in points) for i in range(3)], [max(p[i] for p in points) for i in range(3)]],
    "colour": list(attribute.data[0].color),
    "solid": list(material.diffuse_color),
    "active_colour": obj.data.color_attributes.active_color.name == attribute.name,
    "node": [node.layer_name for node in material.node_tree.nodes if node.type == "VERTEX_COLOR"],
    "smooth": all(polygon.use_smooth for polygon in obj.data.polygons),
    "open": scene_probe.open_edges(obj.data),
    "hidden": [obj.hide_select, obj.hide_render, obj.select_get()],
    "in front": obj.show_in_front,
}

# Fifty times, and it leaves nothing.
once = scene_probe.counts()
cpu = []
for _ in range(50):
    began = time.process_time()
    preview.show("job1", MESSAGE, V, T, PLACE)
    middle = time.process_time()
    assert preview.tick(bpy.context)
    cpu.append((middle - began, time.process_time() - middle))
said["fifty"] = {"same": scene_probe.counts() == once, "idle": preview.tick(bpy.context), "cpu": cpu, "triangles": T}
corners = [(-1.0, -1.0, 0.0), (1.0, -1.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
sides = [(0, 2, 1), (0, 1, 3), (1, 2, 3), (2, 0, 3)]
small = b"".join(struct.pack("<3f", *c) for c in corners) + b"".join(struct.pack("<3i", *t) for t in sides) + bytes(12)
said["lines"] = []
for message, v, t in ((small, 4, 4), (MESSAGE, V, T)):
    with effort.counted() as counted:
        assert send("job1", message, v, t)
    said["lines"].append(counted.lines)
preview.remove("job1")
said["removed"] = scene_probe.counts() == nothing

# While a render is at work nothing comes and nothing goes; after it, both do.
occupied = addon.part("ui.scene.moment")
send("old")
really, occupied.rendering = occupied.rendering, lambda: True
preview.remove("old")
said["rendering"] = [send("new"), len(shown("old")), len(shown("new")), preview.waiting()]
occupied.rendering = really
said["rendered"] = [preview.tick(bpy.context), len(shown("old")), len(shown("new")), preview.waiting()]
preview.remove("new")

# Damaged messages are not shown, and do no harm.
bad_index = MESSAGE[: 12 * V] + struct.pack("<i", V) + MESSAGE[12 * V + 4 :]
negative = MESSAGE[: 12 * V] + struct.pack("<i", -1) + MESSAGE[12 * V + 4 :]
not_a_number = struct.pack("<f", float("nan")) + MESSAGE[4:]
flat = bytes(12 * 3 + 12 + 9)
said["damaged"] = [
    send("bad", *args)
    for args in (
        (MESSAGE[:-1],),
        (MESSAGE, V + 1),
        (MESSAGE, 0, 0),
        (bad_index,),
        (negative,),
        (not_a_number,),
        (flat, 3, 1),
        (b"", 0, 0),
    )
] + [scene_probe.counts() == nothing]

# Deleted by the artist: it stays away. Undo of that: it is back.
send()
bpy.ops.ed.undo_push(message="with preview")
(obj,) = shown()
obj.hide_select = False
with bpy.context.temp_override(selected_objects=[obj], object=obj, active_object=obj):
    bpy.ops.object.delete()
bpy.ops.ed.undo_push(message="deleted")
said["deleted"] = [len(shown()), send(), len(shown()), send()]
bpy.ops.ed.undo()
said["deletion undone"] = [len(shown()), send(), len(shown())]

# Undo to before it was there: it comes again by itself.
preview.remove("job1")
bpy.ops.mesh.primitive_cube_add()
bpy.ops.ed.undo_push(message="cube")
send("job2")
bpy.ops.mesh.primitive_cube_add()
bpy.ops.ed.undo_push(message="cube 2")
bpy.ops.ed.undo()
bpy.ops.ed.undo()
said["undone"] = [len(shown("job2")), preview.waiting()]
preview.tick(bpy.context)
said["came again"] = len(shown("job2"))
# After the end of its job, undo brings none back.
bpy.ops.ed.undo_push(message="still there")
preview.remove("job2")
bpy.ops.ed.undo_push(message="gone")
bpy.ops.ed.undo()
said["stale"] = len(shown("job2"))
bpy.ops.ed.redo()

# Renamed or copied by the artist.
send("job3")
shown("job3")[0].name = "Mine"
send("job3")
said["renamed"] = [obj.name for obj in shown("job3")]
twin = shown("job3")[0].copy()
bpy.context.scene.collection.objects.link(twin)
preview.remove("job3")
said["copied"] = len(shown("job3"))

# Edited: not touched, and the artist keeps it.
send("job4")
(obj,) = shown("job4")
bpy.context.view_layer.objects.active = obj
bpy.ops.object.mode_set(mode="EDIT")
said["edited"] = [send("job4"), bpy.context.mode]
obj.show_in_front = True
preview.remove("job4")
said["kept"] = [bpy.context.mode, obj.name in bpy.data.objects, obj.get("dreamfusion_preview"), obj.hide_select]
said["kept as it is"] = obj.show_in_front
bpy.ops.object.mode_set(mode="OBJECT")
bpy.data.objects.remove(obj)

# In another's Edit Mode it comes and goes.
bpy.ops.mesh.primitive_cube_add()
bpy.ops.object.mode_set(mode="EDIT")
send("job5")
send("job5")
said["beside"] = [bpy.context.mode, len(shown("job5"))]
preview.remove("job5")
said["beside"] += [bpy.context.mode, len(shown("job5"))]
bpy.ops.object.mode_set(mode="OBJECT")

# Saved: it is not in the file, and it is back in the scene.
send("job6")
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "a.blend"))
said["saved"] = [len(shown("job6")), preview.tick(bpy.context), len(shown("job6"))]
shutil.copy(folder / "a.blend", folder / "copy.blend")  # the open file cannot be looked into
with bpy.data.libraries.load(str(folder / "copy.blend")) as (inside, _):
    said["in file"] = [name for name in inside.objects if "Preview" in name]
bpy.ops.wm.open_mainfile(filepath=str(folder / "a.blend"))
said["opened"] = [len(shown("job6")), preview.tick(bpy.context), send("job6"), len(shown("job6"))]

# A file that was saved without the add-on's help, as after a crash.
bpy.app.handlers.save_pre.clear()
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "b.blend"))
bpy.ops.wm.open_mainfile(filepath=str(folder / "b.blend"))
said["recovered"] = [len(shown("job6")), sum("Preview" in mesh.name and mesh.users > 0 for mesh in bpy.data.meshes)]

# In the place of a placeholder.
empty = bpy.data.objects.new("Box", None)
empty.empty_display_type, empty.location = "CUBE", (0, 0, 5)
bpy.context.scene.collection.objects.link(empty)
bpy.context.view_layer.update()
send("job7", place=addon.part("ui.scene.placement").captured(bpy.context, placeholder=empty))
bpy.context.view_layer.update()
(obj,) = shown("job7")
points = [obj.matrix_world @ vertex.co for vertex in obj.data.vertices]
said["placeholder"] = [min(p.z for p in points), max(p.z for p in points)]

preview.remove_all()
bpy.app.handlers.save_pre.append(preview._before_save)
preview.unregister()
said["end"] = [len([obj for obj in bpy.data.objects if "dreamfusion_preview" in obj])] + [
    sum(handler.__module__.endswith("preview_object") for handler in getattr(bpy.app.handlers, name))
    for name in ("save_pre", "save_post", "load_post", "undo_post", "redo_post")
]
addon.tell(**said)
