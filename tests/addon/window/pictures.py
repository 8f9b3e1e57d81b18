"""In Blender's window: the panel Pictures with two pictures, their cut-outs, and a run that is held to them.

Environment: DREAMFUSION_TEST_PICTURES, a folder; DREAMFUSION_TEST_ENGINE, a script that stands for the engine;
DREAMFUSION_TEST_GIVEN, a folder with front.png and left.png.
"""

from __future__ import annotations

import os

import addon
import bpy
import drive


def script() -> drive.Script:
    """What an artist does."""
    addon.enable()
    preferences = addon.preferences()
    preferences.command = f'"{addon.ENGINE_PYTHON}" "{os.environ["DREAMFUSION_TEST_ENGINE"]}"'
    preferences.engine = "command"
    here = addon.part("ui.run.session").current()
    # The panels below the first are closed; as if the artist had opened this one and closed the long first one.
    bpy.types.DREAMFUSION_PT_pictures.bl_options = set()
    bpy.utils.unregister_class(bpy.types.DREAMFUSION_PT_pictures)
    bpy.utils.register_class(addon.part("ui.panels.pictures").DREAMFUSION_PT_pictures)
    yield from drive.open_tab()
    yield lambda: here.models is not None
    chosen = bpy.context.scene.dreamfusion
    chosen.prompt, chosen.preset, chosen.optimize.steps = "a red car", "draft", 100_000
    addon.part("ui.scene.redraw").panels()
    yield 1.0
    yield from drive.picture("addon-pictures-none")
    names = [{"name": "front.png"}, {"name": "left.png"}]
    add = bpy.ops.dreamfusion.add_pictures
    add("EXEC_DEFAULT", True, directory=os.environ["DREAMFUSION_TEST_GIVEN"], files=names)  # with an undo step
    rows = chosen.pictures.rows
    addon.part("ui.scene.redraw").panels()
    yield 2.0
    yield from drive.picture("addon-pictures")
    bpy.ops.dreamfusion.show_cut_out(index=0)
    yield lambda: rows[0].uncut is not None
    yield 2.0
    yield from drive.picture("addon-pictures-cut")
    cut = rows[0].image.name
    yield from drive.press("Z", drive.centre(), ctrl=True)
    yield lambda: bpy.context.scene.dreamfusion.pictures.rows[0].uncut is None
    undone = [row.image.name for row in bpy.context.scene.dreamfusion.pictures.rows]
    yield from drive.click((yield from drive.find("dreamfusion.generate")))
    yield lambda: len(here.queue.jobs) == 1
    job = here.queue.jobs[0]
    yield lambda: job.step > 20
    yield 1.0
    yield from drive.picture("addon-pictures-run")
    bpy.ops.dreamfusion.finish()
    yield lambda: job.inserted
    addon.tell(
        cut=cut,
        undone=undone,
        views=[each["view"] for each in job.recipe.pictures],
        cpu=[[tick.cpu_s, tick.insertion] for tick in addon.part("ui.run.timer").ticks],
        bug=str(here.bug),
    )


drive.run(script())
