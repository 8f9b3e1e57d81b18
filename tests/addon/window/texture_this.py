"""In Blender's window: Texture This on the cube that every file begins with; watch it grow, get it, undo.

Environment: DREAMFUSION_TEST_PICTURES, a folder; DREAMFUSION_TEST_ENGINE, a script that stands for the engine.
"""

from __future__ import annotations

import os

import addon
import bpy
import drive
import numpy_here

STEPS = 100_000  # more than are made before Stop Here and Keep It


def base_picture(obj: bpy.types.Object) -> str:
    """The name of the image at the base colour of an object's material; '' for none."""
    nodes = obj.material_slots[0].material.node_tree.nodes
    socket = next(node for node in nodes if node.type == "BSDF_PRINCIPLED").inputs["Base Color"]
    return str(socket.links[0].from_node.image.name) if socket.links else ""


def script() -> drive.Script:
    """What an artist does."""
    assert numpy_here.find(), "this Blender's Python has no numpy, and no other one's fits"
    addon.enable()
    preferences = addon.preferences()
    preferences.command = f'"{addon.ENGINE_PYTHON}" "{os.environ["DREAMFUSION_TEST_ENGINE"]}"'
    preferences.engine = "command"
    here = addon.part("ui.run.session").current()
    yield from drive.open_tab()
    yield lambda: here.models is not None
    chosen = bpy.context.scene.dreamfusion
    chosen.task, chosen.preset, chosen.optimize.steps = "TEXTURE", "draft", STEPS
    yield 1.0
    yield from drive.picture("addon-texture-grey")
    chosen.prompt = "a red mug"
    addon.part("ui.scene.redraw").panels()  # as typing does
    yield 1.0
    yield from drive.picture("addon-texture")
    drive.view().spaces.active.shading.color_type = "TEXTURE"
    with bpy.context.temp_override(window=drive.window(), area=drive.view(), region=drive.sidebar()):
        assert bpy.ops.dreamfusion.texture("INVOKE_DEFAULT") == {"FINISHED"}
    yield lambda: len(here.queue.jobs) == 1
    job = here.queue.jobs[0]
    yield lambda: any("dreamfusion_texture_preview" in obj for obj in bpy.data.objects)
    yield 1.0
    yield from drive.picture("addon-texture-growing")
    cube = bpy.data.objects["Cube"]
    assert base_picture(cube) == "", "the artist's material changed before the end"
    bpy.ops.dreamfusion.finish()
    yield lambda: job.inserted
    yield 1.0
    yield from drive.picture("addon-texture-result")
    painted = base_picture(bpy.data.objects["Cube"])
    yield from drive.press("Z", drive.centre(), ctrl=True)
    yield lambda: base_picture(bpy.data.objects["Cube"]) == ""
    addon.tell(
        painted=painted,
        previews=[obj.name for obj in bpy.data.objects if "Preview" in obj.name],
        materials=[slot.material.name for slot in bpy.data.objects["Cube"].material_slots],
        cpu=[(tick.cpu_s, tick.insertion) for tick in addon.part("ui.run.timer").ticks],
    )


drive.run(script())
