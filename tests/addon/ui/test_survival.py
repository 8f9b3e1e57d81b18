"""What an artist may do in the middle of a run: open, save, undo, edit, delete, disable, reload. Nothing breaks.

Of: blender_addon/ui/run/timer.py, blender_addon/ui/run/session.py.
"""

from __future__ import annotations

from addon.blenders import Session

PRELUDE = """
import sys, addon, bpy, effort, os, time
sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
"""

OPENED = (
    PRELUDE
    + """
run = Run(steps=400, step_s=0.004)
path = os.path.join(os.environ["FOLDER"], "mine.blend")
bpy.ops.wm.save_as_mainfile(filepath=path)
job = run.generate()
run.until(lambda: run.preview() is not None, "a preview")
bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
run.pump.tick()
addon.tell(timer=bpy.app.timers.is_registered(run.pump.tick), rows=len(bpy.context.window_manager.dreamfusion.rows))
step = job.step
run.until(lambda: job.step > step + 20, "a run that goes on in another file")
addon.tell(preview=run.preview() is not None, objects=len(bpy.data.objects))
run.until(lambda: job.state.value == "done", "the end of the run")
run.ticks(0.3)
addon.tell(inserted=job.inserted, stranger=len(bpy.data.objects), notice=run.session.notice)
bpy.ops.dreamfusion.insert(job_id=job.id)
addon.tell(on_wish=len(bpy.data.objects))
run.prepare()
bpy.ops.wm.open_mainfile(filepath=path)
run.prepare()
again = run.generate("a mug")
run.until(lambda: again.step > 10, "a second run")
bpy.ops.wm.open_mainfile(filepath=path)
run.until(run.inserted(again), "the object in the file that was opened again")
addon.tell(reopened=len(bpy.data.objects), listed=len(bpy.context.window_manager.dreamfusion.rows))
"""
)


def test_a_run_outlives_opening_a_file_and_does_not_surprise_the_other_file(blender: Session) -> None:
    facts = blender.run(OPENED, FOLDER=str(blender.folder)).facts
    assert facts["timer"] and facts["rows"] == 1
    assert not facts["preview"] and facts["objects"] == 0
    assert not facts["inserted"] and facts["stranger"] == 0 and "another file" in facts["notice"]
    assert facts["on_wish"] == 1
    assert facts["reopened"] == 1 and facts["listed"] == 2


ELSEWHERE = (
    PRELUDE
    + """
run = Run(steps=200, step_s=0.004)
begun = bpy.context.scene
other = bpy.data.scenes.new("Other")
bpy.context.view_layer.update()
job = run.generate()
run.until(lambda: job.step > 5 and run.preview() is None, "training")
windows = bpy.context.window_manager.windows
def in_other(condition):
    with bpy.context.temp_override(scene=other, view_layer=other.view_layers[0]):
        assert bpy.context.scene == other
        run.until(condition, "a run that is watched from another scene")
in_other(lambda: run.preview() is not None)
seen = [scene.name for scene in run.preview().users_scene]
in_other(run.inserted(job))
obj = next(obj for obj in bpy.data.objects if "dreamfusion_recipe" in obj)
addon.tell(seen=seen, there=[scene.name for scene in obj.users_scene], begun=begun.name,
           active=begun.view_layers[0].objects.active == obj)
"""
)


def test_an_object_comes_into_the_scene_in_which_it_was_begun(blender: Session) -> None:
    facts = blender.run(ELSEWHERE).facts
    assert facts["seen"] == facts["there"] == [facts["begun"]] and facts["active"]


UNDONE = (
    PRELUDE
    + """
run = Run(steps=500, step_s=0.004)
bpy.ops.ed.undo_push(message="start")
job = run.generate()
run.until(lambda: run.preview() is not None, "a preview")
bpy.ops.mesh.primitive_cube_add()
bpy.ops.ed.undo_push(message="cube")
run.ticks(0.2)
bpy.ops.ed.undo()
run.ticks(0.2)
bpy.ops.ed.redo()
run.ticks(0.2)
bpy.ops.ed.undo()
step = job.step
run.until(lambda: job.step > step + 10, "a run that goes on after undo")
bpy.ops.dreamfusion.finish()
run.until(run.inserted(job), "the object")
name = bpy.context.view_layer.objects.active.name
addon.tell(previews=run.preview() is not None, there=name in bpy.data.objects)
bpy.ops.ed.undo()
run.ticks(0.2)
addon.tell(after_undo=name in bpy.data.objects, ghost=run.preview() is not None)
bpy.ops.ed.redo()
run.ticks(0.2)
addon.tell(after_redo=name in bpy.data.objects, state=job.state.value)
"""
)


def test_undo_and_redo_in_the_middle_and_of_the_result(blender: Session) -> None:
    facts = blender.run(UNDONE).facts
    assert facts == {
        "previews": False,
        "there": True,
        "after_undo": False,
        "ghost": False,
        "after_redo": True,
        "state": "done",
    }


EDITED = (
    PRELUDE
    + """
run = Run(steps=60)
bpy.ops.mesh.primitive_cube_add()
cube = bpy.context.object.name
job = run.generate()
run.until(lambda: job.step > 5, "training")
bpy.ops.object.mode_set(mode="EDIT")
run.until(lambda: job.state.value == "done", "the end")
run.ticks(0.4)
addon.tell(mode=bpy.context.mode, inserted=job.inserted, reason=addon.part("ui.run.insertion").obstacle())
bpy.ops.object.mode_set(mode="OBJECT")
run.until(run.inserted(job), "the object after Edit Mode")
addon.tell(objects=len(bpy.data.objects), cube=cube in bpy.data.objects)
second = run.generate("a mug")
run.until(lambda: run.preview() is not None, "a preview")
bpy.data.objects.remove(run.preview())
run.until(run.inserted(second), "the object although the preview was deleted")
addon.tell(after=len(bpy.data.objects))
"""
)


def test_edit_mode_is_never_left_and_a_deleted_preview_is_no_harm(blender: Session) -> None:
    facts = blender.run(EDITED).facts
    assert facts["mode"] == "EDIT_MESH" and not facts["inserted"] and "Object Mode" in facts["reason"]
    assert facts["objects"] == 2 and facts["cube"]
    assert facts["after"] == 3


SAVED = (
    PRELUDE
    + """
run = Run(steps=100000, step_s=0.004)
job = run.generate()
run.until(lambda: run.preview() is not None, "a preview")
path = os.path.join(os.environ["FOLDER"], "middle.blend")
bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
with bpy.data.libraries.load(path) as (there, _):
    addon.tell(objects=list(there.objects), meshes=list(there.meshes), images=list(there.images))
step = job.step
run.until(lambda: run.preview() is not None and job.step > step + 5, "a preview that comes back after saving")
addon.tell(state=job.state.value)
bpy.ops.dreamfusion.cancel()
run.until(lambda: job.state.value == "cancelled", "cancelled")
"""
)


def test_a_file_saved_in_the_middle_of_a_run_holds_nothing_half_built(blender: Session) -> None:
    facts = blender.run(SAVED, FOLDER=str(blender.folder)).facts
    assert facts == {"objects": [], "meshes": [], "images": [], "state": "running"}


DISABLED = (
    PRELUDE
    + """
run = Run(steps=100000, step_s=0.004)
job = run.generate()
run.until(lambda: run.preview() is not None, "a preview")
with effort.counted() as counted:
    addon.disable()
while run.children():  # killed by now; a busy system takes a moment to clear it away
    time.sleep(0.05)
addon.tell(waited=counted.waited_s, objects=len(bpy.data.objects),
           timers=bpy.app.timers.is_registered(run.pump.tick),
           scene=hasattr(bpy.types.Scene, "dreamfusion"), window=hasattr(bpy.types.WindowManager, "dreamfusion"))
run = Run(steps=400, step_s=0.004)
again = run.jobs[0]
run.pump.tick()
addon.tell(state=again.state.value, same=again.id == job.id, shown=run.session.shown is again,
           rows=len(bpy.context.window_manager.dreamfusion.rows))
again.recipe.settings["optimize"]["steps"] = 50
bpy.ops.dreamfusion.resume_job(job_id=again.id)
run.until(lambda: again.state.value == "done", "a resumed job")
run.until(lambda: again.inserted or run.session.notice, "news")
"""
)


def test_disabling_ends_the_engine_and_the_job_can_be_resumed(blender: Session) -> None:
    facts = blender.run(DISABLED).facts
    assert facts["waited"] < 2.5, "what closing is ready to wait for"
    assert facts["objects"] == 0
    assert not facts["timers"] and not facts["scene"] and not facts["window"]
    assert facts["state"] == "interrupted" and facts["same"] and facts["shown"] and facts["rows"] == 1


RELOADED = (
    PRELUDE
    + """
run = Run(steps=100000, step_s=0.004)
job = run.generate()
run.until(lambda: job.step > 10, "training")
bpy.ops.script.reload()
run = Run(steps=30)
addon.tell(children_before=len(run.children()), state=run.jobs[0].state.value)
fresh = run.generate("a mug")
run.until(run.inserted(fresh), "a run after Reload Scripts")
addon.tell(fresh=fresh.state.value)
addon.disable()
sys.stdout.flush()
os._exit(0)  # after script.reload() alone, without any add-on, bpy 4.5 hangs when it exits
"""
)


def test_reload_scripts_in_the_middle_of_a_run(blender: Session) -> None:
    facts = blender.run(RELOADED).facts
    assert facts == {"children_before": 0, "state": "interrupted", "fresh": "done"}


BUG = (
    PRELUDE
    + """
run = Run(steps=300, step_s=0.004)
job = run.generate()
run.until(lambda: job.step > 5, "training")
previews = addon.part("ui.scene.preview_object")
really, step = previews.tick, job.step
def broken(context):
    raise ZeroDivisionError("on purpose")
previews.tick = broken
run.ticks(0.5)
log = run.session.log.read_text()
addon.tell(told=run.session.trouble.code, traces=log.count("ZeroDivisionError: on purpose"))
run.session.bug, run.session.log = None, run.session.log / "no" / "folder"
run.ticks(0.2)
previews.tick = really
run.until(run.inserted(job), "the object, after the bug")
addon.tell(state=job.state.value)
"""
)


def test_a_bug_of_the_addon_is_told_once_and_the_timer_and_the_run_go_on(newest_blender: Session) -> None:
    facts = newest_blender.run(BUG).facts
    assert facts == {"told": "internal.bug", "traces": 1, "state": "done"}


MOVED = (
    PRELUDE
    + """
run = Run(steps=20)
job = run.generate()
run.until(run.inserted(job), "the object")
engine = run.session.queue._host.pid
with effort.counted() as counted:
    addon.preferences().output = os.path.join(os.environ["FOLDER"], "elsewhere")
second = run.generate("a mug")
run.until(run.inserted(second), "an object in the new folder")
run.until(lambda: engine not in run.children(), "the end of the first engine")
addon.tell(waits=counted.waits, folder=str(second.folder.parent), jobs=len(run.jobs))
"""
)


def test_another_output_folder_is_taken_without_waiting_for_the_engine_to_end(newest_blender: Session) -> None:
    facts = newest_blender.run(MOVED, FOLDER=str(newest_blender.folder)).facts
    assert facts["waits"] == [] and facts["folder"] == str(newest_blender.folder / "elsewhere")
    assert facts["jobs"] == 1


ONLINE = (
    PRELUDE
    + """
run = Run(steps=20)
job = run.generate()
run.until(run.inserted(job), "the object")
before = run.session.queue.engine_state
preferences = addon.part("ui.settings.preferences")
really = preferences.location
import dataclasses
preferences.location = lambda chosen: dataclasses.replace(really(chosen), online=not really(chosen).online)
run.session.look(now=True)
addon.tell(before=before, after=run.session.queue.engine_state)
second = run.generate("a mug")
run.until(run.inserted(second), "an object by an engine that was started again")
"""
)


def test_an_idle_engine_is_started_anew_when_online_access_changes(newest_blender: Session) -> None:
    """What it may do was decided by its environment when it was started."""
    facts = newest_blender.run(ONLINE).facts
    assert facts == {"before": "ready", "after": "absent"}


KILLED = (
    PRELUDE
    + """
import signal
run = Run(steps=100000, step_s=0.004)
for number in range(3):
    job = run.generate("a hamburger")
    run.until(lambda: job.step > 3 + 7 * number, "training")
    os.kill(run.session.queue._host.pid, signal.SIGKILL)
    run.hear_of_death()
    addon.tell(**{f"state_{number}": job.state.value, f"why_{number}": job.trouble.why,
                  f"preview_{number}": bool(run.preview())})
run.steps = 20
run.prepare()
good = run.generate("a mug")
run.until(run.inserted(good), "the next Generate")
addon.tell(good=good.state.value)
"""
)


def test_a_killed_engine_is_a_clear_failure_at_once(blender: Session) -> None:
    facts = blender.run(KILLED).facts
    for number in range(3):
        assert facts[f"state_{number}"] == "failed" and facts[f"why_{number}"] and not facts[f"preview_{number}"]
    assert facts["good"] == "done"


LEFT = (
    PRELUDE
    + """
run = Run(steps=100000, step_s=0.004)
job = run.generate()
run.until(lambda: job.step > 10, "training")
addon.tell(engine=run.session.queue._host.pid)
"""
)
ALIVE = """
import addon, os, sys
try:
    os.kill(int(sys.argv[1]), 0)
    addon.tell(alive=True)
except ProcessLookupError:
    addon.tell(alive=False)
"""


def test_blender_that_exits_in_the_middle_leaves_no_engine_and_does_not_hang(blender: Session) -> None:
    engine = blender.run(LEFT).facts["engine"]
    assert engine
    assert blender.run(ALIVE, str(engine)).facts["alive"] is False
