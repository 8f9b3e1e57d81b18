"""Start from a mesh with the real engine: a tall block, held by a lock of 1, for a few steps."""

import sys
import time

import addon
import bpy

addon.enable()
preferences = addon.preferences()
preferences.engine, preferences.python = "python", addon.ENGINE_PYTHON
pump, sessions = addon.part("ui.run.timer"), addon.part("ui.run.session")
bpy.ops.mesh.primitive_cube_add(location=(5.0, 6.0, 7.0))
block = bpy.context.object
block.scale = (1.0, 1.0, 2.0)
bpy.context.view_layer.update()
settings = bpy.context.scene.dreamfusion
settings.prompt, settings.preset = "a red house", "draft"
settings.optimize.steps = 20
settings.placement.start_from, settings.placement.blockout, settings.start.lock = "OBJECT", block, 1.0
session = sessions.current()
session.queue.start_engine()
begun = time.monotonic()
while session.queue.engine_state != "ready" and time.monotonic() - begun < 600.0:
    time.sleep(pump.tick() or 0.1)
addon.tell(pressed=list(bpy.ops.dreamfusion.generate()))
job = list(session.queue.jobs)[-1]
previews = []
while not job.inserted and job.state.value not in ("failed", "cancelled") and time.monotonic() - begun < 1500.0:
    time.sleep(min(pump.tick() or 0.1, 0.2))
    for obj in bpy.data.objects:
        if "dreamfusion_preview" in obj:
            bpy.context.view_layer.update()
            points = [obj.matrix_world @ vertex.co for vertex in obj.data.vertices]
            previews.append([f(point[axis] for point in points) for f in (min, max) for axis in range(3)])
addon.tell(state=job.state.value, trouble=repr(job.trouble), previews=previews[-1:])
made = bpy.context.view_layer.objects.active
bpy.context.view_layer.update()
points = [made.matrix_world @ vertex.co for vertex in made.data.vertices]
addon.tell(
    box=[f(point[axis] for point in points) for f in (min, max) for axis in range(3)],
    location=list(made.location),
    hidden=block.hide_get(),
    textured=any(node.type == "TEX_IMAGE" for node in made.material_slots[0].material.node_tree.nodes),
)
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
