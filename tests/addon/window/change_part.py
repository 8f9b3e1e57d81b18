"""In Blender's window: faces selected in Edit Mode, Change Part with Texture and Shape, the new shape, undo.

Environment: DREAMFUSION_TEST_PICTURES, a folder; DREAMFUSION_TEST_ENGINE, a script that stands for the engine.
"""

from __future__ import annotations

import os

import addon
import bpy
import drive
import numpy_here

STEPS = 100_000  # more than are made before Stop Here and Keep It
# The dialog opens below the mouse: from there to Texture and Shape, and to OK; pixels, up.
SHAPE, OK = (109, -88), (0, -114)


def heights() -> list[float]:
    """How high the vertices of the cube are."""
    return [round(vertex.co.z, 4) for vertex in bpy.data.objects["Cube"].data.vertices]


def script() -> drive.Script:
    """What an artist does."""
    assert numpy_here.find(), "this Blender's Python has no numpy, and no other one's fits"
    addon.enable()
    preferences = addon.preferences()
    preferences.command = f'"{addon.ENGINE_PYTHON}" "{os.environ["DREAMFUSION_TEST_ENGINE"]}"'
    preferences.engine = "command"
    here = addon.part("ui.run.session").current()
    cube = bpy.data.objects["Cube"]
    bpy.context.tool_settings.mesh_select_mode = (False, False, True)
    with bpy.context.temp_override(window=drive.window(), area=drive.view(), region=drive.sidebar()):
        bpy.ops.object.mode_set(mode="EDIT")
        bpy.ops.mesh.subdivide(number_cuts=3)
        bpy.ops.object.mode_set(mode="OBJECT")
        for polygon in cube.data.polygons:
            polygon.select = polygon.center.z > 0.99
        bpy.ops.object.mode_set(mode="EDIT")
        bpy.ops.ed.undo_push(message="selected")
    yield from drive.open_tab()
    yield lambda: here.models is not None
    chosen = bpy.context.scene.dreamfusion
    chosen.task, chosen.preset, chosen.optimize.steps = "TEXTURE", "draft", STEPS
    chosen.prompt = "a white cube with a red side"
    addon.part("ui.scene.redraw").panels()
    yield 1.0
    yield from drive.picture("addon-part-shape-selected")
    x, y = yield from drive.find("dreamfusion.change_part")
    yield from drive.click((x, y))
    yield 1.0
    yield from drive.click((x + SHAPE[0], y + SHAPE[1]))
    yield from drive.picture("addon-part-shape-dialog")
    yield from drive.click((x + OK[0], y + OK[1]))
    yield lambda: len(here.queue.jobs) == 1
    job = here.queue.jobs[0]
    yield from drive.press("TAB", drive.centre())
    yield lambda: bpy.data.objects["Cube"].mode == "OBJECT"
    yield lambda: any("dreamfusion_texture_preview" in obj for obj in bpy.data.objects)
    yield 1.0
    before = heights()
    yield from drive.picture("addon-part-shape-growing")
    bpy.ops.dreamfusion.finish()
    yield lambda: job.inserted
    yield 1.0
    yield from drive.picture("addon-part-shape-result")
    after = heights()
    yield from drive.press("Z", drive.centre(), ctrl=True)
    yield lambda: heights() == before
    addon.tell(
        paint=job.recipe.settings["paint"],
        raised=sorted({high - low for low, high in zip(before, after, strict=True)}),
        vertices=[len(before), sum(low != high for low, high in zip(before, after, strict=True))],
        previews=[obj.name for obj in bpy.data.objects if "Preview" in obj.name],
        cpu=[(tick.cpu_s, tick.insertion) for tick in addon.part("ui.run.timer").ticks],
    )


drive.run(script())
