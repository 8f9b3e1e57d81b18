"""Texture This with the real engine: a chair of boxes is painted blue, and rendered before and after."""

import sys
import time
from typing import Any

import addon
import bpy

addon.enable()
preferences = addon.preferences()
preferences.engine, preferences.python = "python", addon.ENGINE_PYTHON
pump, sessions = addon.part("ui.run.timer"), addon.part("ui.run.session")


def box(name: str, size: tuple[float, float, float], at: tuple[float, float, float]) -> Any:
    bpy.ops.mesh.primitive_cube_add(size=1.0, location=at)  # with UVs
    made = bpy.context.object
    made.name = name
    made.scale = size
    return made


parts = [box("Seat", (1.0, 1.0, 0.12), (2.0, 0.0, 0.5)), box("Back", (1.0, 0.12, 1.0), (2.0, 0.44, 1.0))]
for x in (-0.42, 0.42):
    for y in (-0.42, 0.42):
        parts.append(box("Leg", (0.12, 0.12, 0.5), (2.0 + x, y, 0.25)))
bpy.ops.object.select_all(action="DESELECT")
for part in parts:
    part.select_set(True)
bpy.context.view_layer.objects.active = parts[0]
bpy.ops.object.join()
chair = bpy.context.object
before = [tuple(vertex.co) for vertex in chair.data.vertices]
uvs = [tuple(loop.uv) for loop in chair.data.uv_layers.active.data]
settings = bpy.context.scene.dreamfusion
settings.task, settings.prompt, settings.preset = "TEXTURE", "a blue chair", "draft"
settings.optimize.steps = 120
session = sessions.current()
session.queue.start_engine()
begun = time.monotonic()
while session.queue.engine_state != "ready" and time.monotonic() - begun < 600.0:
    time.sleep(pump.tick() or 0.1)
addon.tell(pressed=list(bpy.ops.dreamfusion.texture()))
job = list(session.queue.jobs)[-1]
while job.state.value not in ("done", "failed", "cancelled") and time.monotonic() - begun < 1500.0:
    time.sleep(min(pump.tick() or 0.1, 0.2))
for _ in range(50):
    time.sleep(min(pump.tick() or 0.1, 0.1))
addon.tell(state=job.state.value, trouble=repr(getattr(job, "trouble", None)))
addon.tell(same=[before == [tuple(vertex.co) for vertex in chair.data.vertices]])
addon.tell(uvs=uvs == [tuple(loop.uv) for loop in chair.data.uv_layers.active.data])
nodes = [node for slot in chair.material_slots if slot.material for node in slot.material.node_tree.nodes]
images = [node.image for node in nodes if node.type == "TEX_IMAGE" and node.image]
means = []
for image in images:
    pixels = list(image.pixels)
    means.append([sum(pixels[channel::4]) / len(pixels[channel::4]) for channel in range(3)])
addon.tell(textures=means, packed=[image.packed_file is not None for image in images])
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
