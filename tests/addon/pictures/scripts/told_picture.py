"""A model that is told a picture, with the scripted engine: a job without a prompt, by the button and by a script."""

import json
import os
import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import draw

said: dict[str, Any] = {}
run = Run(steps=20, step_s=0.002)
models, headless = addon.part("ui.settings.models"), addon.part("ui.run.headless")
enqueue = addon.part("ui.run.enqueue")
FOLDER = os.environ["FOLDER"]
PICTURE = os.path.join(FOLDER, "car-left.png")
Pictures = bpy.types.DREAMFUSION_PT_pictures
ops = bpy.ops.dreamfusion
HINT = "Say in the prompt what they show"


def given_of(job: Any) -> Any:
    report = json.loads((job.folder / "result.json").read_text())
    return [report["prompt"], [each[0] for each in report["given"]]]


with open(PICTURE, "wb") as stream:
    stream.write(addon.part("core.png").png_file(bytes(3 * 64 * 64), 64, 64, 3))
run.greet()
run.settings.prompt = ""
rows = run.settings.pictures.rows
ops.add_pictures(directory=FOLDER, files=[{"name": "car-left.png"}])
said["words"] = [ops.generate.poll(), HINT in draw(Pictures).texts()]
told = {"recipe": {"settings": {"draft": {"reference.pose": "zero123"}}}}
models.card = lambda model: {"name": model, **told}
said["one"] = [ops.generate.poll(), HINT in draw(Pictures).texts()]
rows.add()
said["two"] = ops.generate.poll()
rows.remove(1)
assert ops.generate() == {"FINISHED"}
job = run.jobs[-1]
said["title"] = job.recipe.title
run.until(run.inserted(job), "the car")
said["made"] = [bpy.context.object.name, job.folder.name.split("-")[0], given_of(job)]
rows.clear()
said["none"] = ops.generate.poll()

# A folder of one's own that is told poses: only the artist can say which.
ops.add_pictures(directory=FOLDER, files=[{"name": "car-left.png"}])
line = {"told": ["picture", "poses"], "pose": "", "recipe": {"settings": {"draft": {"reference.pose": "zero123"}}}}
models.card = lambda model: {"name": model, **line}
given = run.settings.pictures


def drawn() -> list[bool]:
    """Whether the panel has the choice, what it says without one, and the poses that are known."""
    seen = draw(Pictures)
    texts = " ".join(seen.texts())
    return [
        "DREAMFUSION_PG_pictures.pose" in seen.properties(),
        "look alike" in texts,
        "Poses: Stable Zero123" in texts,
    ]


said["unsaid"] = [ops.generate.poll(), *drawn()]
given.pose = "STABLE"
said["chosen"] = [ops.generate.poll(), *drawn()]
assert ops.generate() == {"FINISHED"}
posed = run.jobs[-1]
run.until(run.inserted(posed), "the car with poses")
kept = json.loads((posed.folder / "job.json").read_text())
said["sent"] = [posed.recipe.settings["reference"], kept["recipe"]["settings"]["reference"]]
given.pose = "UNSAID"
assert ops.use_settings(job_id=posed.id) == {"FINISHED"}
said["put_back"] = given.pose
line["pose"] = "stable-zero123"  # as of a model of the catalogue
said["known"] = [ops.generate.poll(), *drawn(), "reference" in enqueue.recipe(bpy.context).settings]
line.update(told=["words", "picture"], pose="", recipe={"settings": {"draft": {}}})  # ImageDream
run.settings.prompt = ""
said["both"] = [ops.generate.poll(), *drawn(), "reference" in enqueue.recipe(bpy.context).settings]
rows.clear()
run.settings.prompt = "a car"
said["both_without"] = ops.generate.poll()
run.settings.prompt = ""
models.card = lambda model: {"name": model, **told}

obj = headless.generate(images=[f"{PICTURE}@30,20"], preset="draft", settings={"optimize": {"steps": 5}})
said["script"] = [obj.name, given_of(run.jobs[-1])]
troubles = []
for word in (f"{PICTURE}@above", os.path.join(FOLDER, "nowhere.png")):
    try:
        headless.generate(images=[word])
    except headless.HeadlessFailed as error:
        troubles.append([error.trouble.code, error.trouble.why])
said["troubles"] = [*troubles, len(run.jobs)]
said["bug"] = str(run.session.bug)
addon.disable()
addon.tell(**said)
