"""Pictures with the scripted engine: from the list to the job, cut-outs, and back out of jobs and objects."""

import json
import os
import sys
import zlib
from array import array
from types import SimpleNamespace
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import draw

said: dict[str, Any] = {}
run = Run(steps=20, step_s=0.002)
context = bpy.context
recipes = addon.part("ui.scene.object_recipe")
cut_outs = addon.part("ui.run.cut_outs")
shapes = addon.part("core.png")
FOLDER = os.environ["FOLDER"]
Pictures = bpy.types.DREAMFUSION_PT_pictures
ops = bpy.ops.dreamfusion


def rows() -> Any:
    return run.settings.pictures.rows


def file(name: str, extra: bytes = b"") -> str:
    path = os.path.join(FOLDER, name)
    with open(path, "wb") as stream:
        stream.write(shapes.png_file(bytes(3 * 64 * 64), 64, 64, 3) + extra)
    return path


def add(*names: str) -> Any:
    return ops.add_pictures(directory=FOLDER, files=[{"name": name} for name in names])


def fails(call: Any, **fields: Any) -> str:
    try:
        return str(call(**fields))
    except RuntimeError as error:
        return str(error)


def crc(image: Any) -> int:
    with open(bpy.path.abspath(image.filepath), "rb") as stream:
        return zlib.crc32(stream.read())


def given_of(job: Any) -> Any:
    return json.loads((job.folder / "result.json").read_text())["given"]


def made() -> list[Any]:
    return [obj for obj in bpy.data.objects if recipes.is_result(obj)]


# The list: files find their sides by name, else in turn; what is no picture is told and left out.
run.greet()
said["empty"] = draw(Pictures).operators()
for name in ("car-left.png", "IMG_1.png", "IMG_2.png"):
    file(name)
with open(os.path.join(FOLDER, "notes.png"), "w") as stream:
    stream.write("no picture")
add("car-left.png", "IMG_1.png", "IMG_2.png")
said["sides"] = [row.view for row in rows()]
said["not one"] = [fails(ops.add_pictures, directory=FOLDER, files=[{"name": "notes.png"}]), len(rows())]
said["no file"] = fails(ops.add_pictures, filepath=os.path.join(FOLDER, "nowhere.png"))
said["same file"] = [add("IMG_1.png") == {"FINISHED"}, rows()[3].image == rows()[1].image, rows()[3].view]
ops.remove_picture(index=3)
said["removed"] = [len(rows()), len(bpy.data.images)]
drawn = draw(Pictures)
said["drawn"] = [sorted(set(drawn.properties())), sorted(set(drawn.operators()))]
said["draws an image"] = [sum(name == kind for name, _ in drawn.calls) for kind in ("template_ID", "template_icon")]

# What is in the way is said by Generate and in the panel, and nothing is queued.
run.settings.prompt = ""
said["no words"] = [ops.generate.poll(), "Say in the prompt what they show" in draw(Pictures).texts()]
run.settings.prompt = "a red car"
said["good"] = [ops.generate.poll(), addon.part("ui.run.pictures").obstacle(context)]
bad = []
rows()[1].view = "LEFT"
bad.append(addon.part("ui.run.pictures").obstacle(context))
rows()[1].view, rows()[1].azimuth, rows()[1].elevation = "ANGLES", -88.0, 1.0
bad.append(addon.part("ui.run.pictures").obstacle(context))
rows()[1].azimuth, kept = 45.0, rows()[2].image
rows()[2].image = None
bad.append(addon.part("ui.run.pictures").obstacle(context))
movie = bpy.data.images.new("Clip", 4, 4)
movie.source = "MOVIE"
rows()[2].image = movie
bad.append(addon.part("ui.run.pictures").obstacle(context))
rows()[2].image, rows()[2].mask = kept, movie
bad.append(addon.part("ui.run.pictures").obstacle(context))
rows()[2].mask = None
while len(rows()) < 16:
    rows().add()
said["room"] = [ops.add_pictures.poll(), ops.add_picture_line.poll()]
rows().add()
bad.append(addon.part("ui.run.pictures").obstacle(context))
while len(rows()) > 3:
    rows().remove(3)
said["bad"] = bad
os.rename(os.path.join(FOLDER, "IMG_2.png"), os.path.join(FOLDER, "moved.png"))
kept.reload()
said["missing"] = [fails(ops.generate), len(run.jobs), run.session.trouble.code]
os.rename(os.path.join(FOLDER, "moved.png"), os.path.join(FOLDER, "IMG_2.png"))
kept.reload()

heavy = []
for number in range(6):
    heavy.append({"name": f"heavy-{number}.png"})
    with open(file(heavy[-1]["name"]), "r+b") as large:
        large.truncate(50 << 20)
ops.add_pictures(directory=FOLDER, files=heavy)
for number, row in enumerate(list(rows())[3:]):
    row.view, row.azimuth, row.elevation = "ANGLES", 20.0 * number, 70.0
said["too large"] = [fails(ops.generate), run.session.trouble.code]
while len(rows()) > 3:
    rows().remove(3)

# A job carries them: what was sent is what the files hold, with a painted mask.
mask = bpy.data.images.new("Mask", 64, 64)
rows()[2].mask = mask
job = run.generate("a red car")
run.until(run.inserted(job), "the car")
given = given_of(job)
said["given"] = [
    [each[0] for each in given],
    [each[1] for each in given] == [crc(row.image) for row in rows()],
    [each[2] != 0 for each in given],
]
(car,) = made()
said["recipe"] = [each["view"] for each in recipes.read(car).pictures]
said["text"] = '"view": "left"' in recipes.as_text(recipes.read(car))

# Regenerate, Variation and the next seed have the same pictures, whatever the list says now.
rows().clear()
context.view_layer.objects.active = car
ops.regenerate()
ops.variation()
ops.next_seed(job_id=job.id)
others = run.jobs[1:]
run.until(lambda: all(other.inserted for other in others), "the others")
said["again"] = [given_of(other) == given for other in others]
said["refined"] = addon.part("ui.run.refining").recipe(recipes.read(car)).pictures

# The settings of a job come back with its pictures; without its file the lines are empty.
ops.use_settings(job_id=job.id)
said["back"] = [[row.view, row.image is not None, row.mask is not None] for row in rows()]
again = addon.part("ui.run.pictures").read(context)
said["same bytes"] = [again[0] == job.recipe.pictures, again[1] == (job.folder / "pictures.bin").read_bytes()]
(others[0].folder / "pictures.bin").write_bytes(b"cut")
ops.use_settings(job_id=others[0].id)
said["lost file"] = [[row.view, row.image is not None] for row in rows()]
ops.remove(job_id=job.id)
run.until(lambda: not job.folder.exists(), "a deleted folder")
context.view_layer.objects.active = car
said["gone"] = fails(ops.regenerate)

# Cut-outs come beside everything, can be painted and taken back.
rows().clear()
add("car-left.png")
row, whole = rows()[0], rows()[0].image
row.mask = mask
said["asked"] = [str(ops.show_cut_out(index=0)), cut_outs.waits(whole), "Cutting out..." in draw(Pictures).texts()]
run.until(lambda: rows()[0].uncut is not None, "the cut-out")
row = rows()[0]
cut = row.image
values = array("f", bytes(16 * cut.size[0] * cut.size[1]))
cut.pixels.foreach_get(values)
centre = 4 * (32 * 64 + 32)
said["cut"] = [cut.name, list(cut.size), row.uncut == whole, row.mask is None, cut.packed_file is not None]
said["its pixels"] = [[round(255 * v) for v in values[at : at + 4]] for at in (0, centre)]
run.ticks(0.1)
small = addon.part("ui.scene.given_image").thumbnail(cut)
said["thumbnail"] = [
    addon.part("ui.scene.icons").has(f"cut-out/{cut_outs.key_of(cut)}"),
    [[round(value, 2) for value in small.values[at : at + 4]] for at in (0, 4 * 8, centre)],
]
said["cut is drawn"] = "dreamfusion.uncut_picture" in draw(Pictures).operators()
values[3] = 1.0
cut.pixels.foreach_set(values)
cut.update()
painted = addon.part("ui.scene.icons").decoded(addon.part("ui.scene.given_image").image_file(cut))
run.ticks(0.1)
said["no thumbnail of what was painted"] = not addon.part("ui.scene.icons").has(f"cut-out/{cut_outs.key_of(cut)}")
said["painted back"] = [round(255 * value) for value in painted.values[:8]]
rows().add().image = cut
rows()[1].uncut = whole
rows()[1].image = kept
said["another image"] = rows()[1].uncut is None
rows().remove(1)
ops.uncut_picture(index=0)
said["uncut"] = [rows()[0].image == whole, rows()[0].uncut is None]

# One that has no object says why; one of a file that is closed, or of a line that is gone, disturbs nobody.
file("plain.png", b"nothing")
add("plain.png")
ops.show_cut_out(index=1)
run.until(lambda: run.session.trouble is not None, "a trouble")
said["no object"] = [run.session.trouble.code, rows()[1].uncut is None]
said["no image"] = [str(ops.add_picture_line()), fails(ops.show_cut_out, index=2), fails(ops.show_cut_out, index=9)]
ops.show_cut_out(index=0)
rows().clear()
run.until(lambda: run.session.notice, "a notice")
said["no line"] = run.session.notice
add("car-left.png")
ops.show_cut_out(index=0)
bpy.ops.wm.save_as_mainfile(filepath=os.path.join(FOLDER, "list.blend"))
bpy.ops.wm.read_homefile(use_empty=True)
run.until(lambda: not run.session.queue.cut_outs.active, "an answer")
run.ticks(0.2)
said["other file"] = [len(bpy.data.images), len(rows())]

# The list is saved with the file.
bpy.ops.wm.open_mainfile(filepath=os.path.join(FOLDER, "list.blend"))
said["saved"] = [[row.view, row.image.name] for row in rows()]
run.settings.task = "TEXTURE"
said["texture"] = Pictures.poll(context)

# Dropped files, where Blender has that.
handler = getattr(bpy.types, "DREAMFUSION_FH_pictures", None)
areas = {
    "sidebar": ("VIEW_3D", "UI", "DreamFusion"),
    "another tab": ("VIEW_3D", "UI", "Item"),
    "view": ("VIEW_3D", "WINDOW", "DreamFusion"),
    "text": ("TEXT_EDITOR", "UI", "DreamFusion"),
}
said["drop"] = (
    {
        name: handler.poll_drop(
            SimpleNamespace(
                area=SimpleNamespace(type=area), region=SimpleNamespace(type=region, active_panel_category=tab)
            )
        )
        for name, (area, region, tab) in areas.items()
    }
    if handler is not None
    else None
)
said["bug"] = str(run.session.bug)
addon.disable()
addon.tell(**said)
