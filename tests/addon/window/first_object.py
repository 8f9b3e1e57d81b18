"""In Blender's window: enable the add-on, type a prompt, Generate, watch, cancel one, undo, save, open again.

Environment: DREAMFUSION_TEST_STEPS, training steps, by default the preset's; DREAMFUSION_TEST_PICTURES, a folder;
DREAMFUSION_TEST_ENGINE, a script that stands for the engine, by default the real one.
"""

from __future__ import annotations

import os
from pathlib import Path

import addon
import bpy
import drive

STEPS = int(os.environ.get("DREAMFUSION_TEST_STEPS", "0"))  # 0: the preset's


def script() -> drive.Script:
    """What an artist does in the first quarter of an hour."""
    yield from drive.press("A", drive.centre())
    yield from drive.press("DEL", drive.centre())  # the cube that every file begins with, camera and light
    assert not bpy.context.scene.objects
    looked_at = drive.view().spaces.active.region_3d
    looked_at.view_location, looked_at.view_distance = (0.0, 0.0, 0.4), 3.2
    addon.enable()
    yield from drive.open_tab()
    yield 3.0
    yield from drive.picture("addon-install")
    yield from use_engine_of_tests()

    prompt = yield from drive.find("dreamfusion.prompt")
    yield from drive.click(prompt)
    yield from drive.write("a hamburger", prompt)
    yield from drive.picture("addon-suggestions")
    yield from drive.press("RET", prompt)
    assert bpy.context.scene.dreamfusion.prompt == "a hamburger"
    bpy.context.scene.dreamfusion.preset = "draft"
    if STEPS:
        bpy.context.scene.dreamfusion.optimize.steps = STEPS
    yield from drive.picture("addon-ready")

    here = addon.part("ui.run.session").current()
    pump = addon.part("ui.run.timer")
    yield from drive.click((yield from drive.find("dreamfusion.generate")))
    yield lambda: len(here.queue.jobs) == 1
    job = here.queue.jobs[0]
    yield lambda: job.state == "running" and job.stage == "train"
    grown: list[int] = []
    yield lambda: note_preview(grown) >= 1 and job.step > 0.4 * job.total
    yield from drive.picture("addon-growing")
    yield lambda: note_preview(grown) < 0 or job.inserted
    obj = bpy.context.view_layer.objects.active
    assert obj is not None and obj.name == "Hamburger" and obj.select_get()
    assert [o.name for o in bpy.context.scene.objects] == ["Hamburger"], "the preview has gone"
    ticks = [(tick.seconds, tick.cpu_s, tick.insertion) for tick in pump.ticks]
    addon.tell(ticks=ticks, previews=len(grown), seconds=job.seconds, settings=job.recipe.settings)
    drive.view().spaces.active.shading.color_type = "TEXTURE"  # in Solid: Material Preview takes seconds a redraw here
    yield 1.0
    yield from drive.picture("addon-result")

    yield from cancel_another()
    yield from undo_and_redo()
    yield from save_and_open_again()


def use_engine_of_tests() -> drive.Script:
    """Choose an engine in the preferences: the one of the environment that the tests run in, or a script."""
    preferences = addon.preferences()
    script = os.environ.get("DREAMFUSION_TEST_ENGINE")
    if script:
        preferences.command = f'"{addon.ENGINE_PYTHON}" "{script}"'
        preferences.engine = "command"
    else:
        preferences.python = addon.ENGINE_PYTHON
        preferences.engine = "python"
    here = addon.part("ui.run.session").current()
    yield lambda: here.missing is None
    yield lambda: here.models is not None  # the add-on has asked the engine, for the suggestions
    yield 1.0


def note_preview(grown: list[int]) -> int:
    """How many different meshes the preview object has had."""
    for obj in bpy.data.objects:
        if obj.type == "MESH" and "Preview" in obj.name:
            size = len(obj.data.vertices)
            if not grown or grown[-1] != size:
                grown.append(size)
    return len(grown)


def cancel_another() -> drive.Script:
    """Generate, and press the cross beside the progress bar: the scene stays as it is."""
    here = addon.part("ui.run.session").current()
    bpy.context.scene.dreamfusion.optimize.steps = 4000  # long enough for a slow machine to find the cross
    button = yield from drive.find("dreamfusion.generate")
    yield from drive.click(button)
    yield lambda: len(here.queue.jobs) == 2 and here.queue.jobs[1].state == "running"
    yield 1.0
    cross = yield from drive.find("dreamfusion.cancel(", near=button[1], across=(0.84, 0.79, 0.89, 0.93))
    yield from drive.click(cross)
    yield lambda: here.queue.jobs[1].state == "cancelled"
    yield 1.0
    assert [o.name for o in bpy.context.scene.objects] == ["Hamburger"]


def undo_and_redo() -> drive.Script:
    """Ctrl-Z takes the object away and Ctrl-Shift-Z brings it back, with its picture."""
    yield from drive.press("Z", drive.centre(), ctrl=True)
    yield lambda: "Hamburger" not in bpy.context.scene.objects  # one undo step takes the object away
    yield from drive.press("Z", drive.centre(), ctrl=True, shift=True)
    yield lambda: "Hamburger" in bpy.context.scene.objects


def save_and_open_again() -> drive.Script:
    """The file has the object with its texture; the list of results is still there; the add-on works on."""
    path = str(Path("saved.blend").absolute())
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    yield 2.0
    obj = bpy.data.objects["Hamburger"]
    images = [image for image in bpy.data.images if image.packed_file is not None and image.users]
    assert len(obj.data.materials) == 1 and len(images) == 1
    here = addon.part("ui.run.session").current()
    assert [str(job.state) for job in here.queue.jobs] == ["done", "cancelled"]
    yield from drive.open_tab()
    yield from drive.find("dreamfusion.generate")
    addon.tell(texture=list(images[0].size), faces=len(obj.data.polygons))


drive.run(script())
