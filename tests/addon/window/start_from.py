"""In Blender's window: Placement with Start From, the object that grows where the blockout stands, and the end.

Environment: DREAMFUSION_TEST_PICTURES, a folder; DREAMFUSION_TEST_ENGINE, a script that stands for the engine.
"""

from __future__ import annotations

import os

import addon
import bpy
import drive

STEPS = 100_000  # more than are made before Stop Here and Keep It


def script() -> drive.Script:
    """What an artist does."""
    addon.enable()
    preferences = addon.preferences()
    preferences.command = f'"{addon.ENGINE_PYTHON}" "{os.environ["DREAMFUSION_TEST_ENGINE"]}"'
    preferences.engine = "command"
    here = addon.part("ui.run.session").current()
    cube = bpy.data.objects["Cube"]
    cube.scale.z = 2.0
    # The panels below the first are closed; as if the artist had opened Placement and closed the long first one.
    bpy.types.DREAMFUSION_PT_placement.bl_options = set()
    bpy.utils.unregister_class(bpy.types.DREAMFUSION_PT_placement)
    bpy.utils.register_class(addon.part("ui.panels.settings").DREAMFUSION_PT_placement)
    yield from drive.open_tab()
    yield lambda: here.models is not None
    chosen = bpy.context.scene.dreamfusion
    chosen.prompt, chosen.preset, chosen.optimize.steps = "a house", "draft", STEPS
    chosen.placement.start_from = "OBJECT"
    addon.part("ui.scene.redraw").panels()
    yield 1.0
    yield from drive.picture("addon-start-from-empty")
    chosen.placement.blockout = cube
    addon.part("ui.scene.redraw").panels()
    yield 1.0
    yield from drive.picture("addon-start-from")
    yield from drive.click((yield from drive.find("dreamfusion.generate")))
    yield lambda: len(here.queue.jobs) == 1
    job = here.queue.jobs[0]
    yield lambda: any("dreamfusion_preview" in obj for obj in bpy.data.objects)
    yield 1.0
    yield from drive.picture("addon-start-from-growing")
    bpy.ops.dreamfusion.finish()
    yield lambda: job.inserted
    yield 1.0
    yield from drive.picture("addon-start-from-result")
    made = bpy.context.view_layer.objects.active
    size = [round(value, 3) for value in made.dimensions]
    hidden = bpy.data.objects["Cube"].hide_get()
    yield from drive.press("Z", drive.centre(), ctrl=True)
    yield lambda: "House" not in bpy.data.objects
    addon.tell(
        size=size, hidden=hidden, undone=bpy.data.objects["Cube"].hide_get(), settings=job.recipe.settings["start"]
    )


drive.run(script())
