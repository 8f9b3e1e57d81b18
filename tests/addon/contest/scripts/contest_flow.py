"""Best of in a Blender with the scripted engine: from the sidebar to the winner, a choice by hand, drafts, recipes."""

import json
import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import draw

said: dict[str, Any] = {}
run = Run(steps=6)
settings, context = run.settings, bpy.context
icons, recipes = addon.part("ui.scene.icons"), addon.part("ui.scene.object_recipe")
enqueue = addon.part("ui.run.enqueue")
Main, Results, Panel = (getattr(bpy.types, f"DREAMFUSION_PT_{name}") for name in ("main", "results", "object"))


def made() -> list[Any]:
    return [obj for obj in bpy.data.objects if recipes.is_result(obj)]


def seconds() -> float:
    cost = run.session.estimates.of(enqueue.recipe(context, "a"), run.session.queue.devices)
    return float(cost.seconds)


# A plain run as before; more than one seed costs more, and only for a new object.
said["default"] = [settings.best_of, "best_of" in " ".join(draw(Main).properties()), enqueue.recipe(context, "a").seeds]
one = seconds()
settings.best_of = 8
said["costs"] = [one, seconds(), enqueue.of_preset(context, "draft").seeds]
settings.task = "TEXTURE"
said["texture"] = [
    "best_of" in " ".join(draw(Main).properties()),
    enqueue.texture_recipe(context, "a").seeds,
    enqueue.of_preset(context, "draft").seeds,
]
settings.task = "OBJECT"
settings.seed = 2**31 - 3
said["last seeds"] = [enqueue.recipe(context, "a").seeds, enqueue.next_seed(5, 4), enqueue.next_seed(2**31 - 3, 4)]
settings.seed = settings.best_of = 99
said["most"] = settings.best_of
settings.seed, settings.best_of = 3, 4

# While it runs: pictures with rank and grade, who ranks, who is out; then the winner comes into the scene.
job = run.generate("a slow red mug")
run.until(lambda: job.standing is not None and any(not each.on for each in job.standing.seeds), "a seed that is out")
run.until(lambda: all(icons.has(f"{job.id}/seed-{seed}") for seed in (3, 4, 5, 6)), "four pictures")
drawn = draw(Main)
said["running"] = [drawn.texts(), drawn.operators().count("dreamfusion.finish_seed"), job.task]
said["draft button"] = drawn.operators().count("dreamfusion.insert_draft") > 0
# A draft that has stopped comes into the scene while the others go on.
assert bpy.ops.dreamfusion.insert_draft(job_id=job.id, seed=3) == {"FINISHED"}
(draft,) = made()
said["draft"] = [
    recipes.read(draft).seed,
    recipes.read(draft).seeds,
    recipes.verdict(draft),
    round(draft.location.x, 3),
]
context.view_layer.objects.active = draft
said["draft panel"] = draw(Panel).texts()
run.until(run.inserted(job), "the winner")
winner = next(obj for obj in made() if obj is not draft)
text = json.loads(winner["dreamfusion_recipe"])
said["winner"] = [job.winner, text["seed"], "seeds" in text, recipes.verdict(winner), list(winner.location)]
context.view_layer.objects.active = winner
said["winner panel"] = draw(Panel).texts()
drawn = draw(Main)
said["done"] = [drawn.texts(), drawn.operators().count("dreamfusion.finish_seed")]
bpy.ops.ed.undo_push(message="begin")

# Regenerate is a plain run of the winner; Variation leaves out the seeds that were tried.
bpy.ops.dreamfusion.regenerate()
bpy.ops.dreamfusion.variation()
again = run.jobs[-2:]
said["again"] = [[each.recipe.seed, each.recipe.seeds] for each in again]
said["same settings"] = again[0].recipe.settings == job.recipe.settings
run.until(lambda: all(each.inserted for each in again), "both")

# Another seed is finished afterwards, as a run of its own; the winner's is not made twice.
assert bpy.ops.dreamfusion.finish_seed(job_id=job.id, seed=4) == {"FINISHED"}
said["another"] = [run.jobs[-1].recipe.seed, run.jobs[-1].recipe.seeds]
run.until(run.inserted(run.jobs[-1]), "seed 4")
said["refused"] = [list(bpy.ops.dreamfusion.finish_seed(job_id=job.id, seed=seed)) for seed in (job.winner, 99)]

# Settings, next seeds and the recipe of a contest.
settings.best_of = 1
bpy.ops.dreamfusion.use_settings(job_id=job.id)
said["settings"] = [settings.best_of, settings.seed]
bpy.ops.dreamfusion.next_seed(job_id=job.id)
said["next"] = [run.jobs[-1].recipe.seed, run.jobs[-1].recipe.seeds]
bpy.ops.dreamfusion.cancel(job_id=run.jobs[-1].id)
run.until(lambda: run.jobs[-1].state.over, "a cancelled contest")

# A choice by hand, then a cancel and a resume of another contest.
settings.seed, settings.best_of = 0, 8
chosen = run.generate("a slow mug")
run.until(lambda: chosen.standing is not None and any(each.step for each in chosen.standing.seeds), "a first draft")
seed = next(each.seed for each in chosen.standing.seeds if each.step)
bpy.ops.dreamfusion.finish_seed(job_id=chosen.id, seed=seed)
said["you chose"] = draw(Main).texts()
run.until(run.inserted(chosen), "the chosen one")
said["chosen"] = [chosen.winner == seed, len(run.jobs)]
broken = run.generate("a slow mug")
run.until(lambda: broken.standing is not None and any(each.step for each in broken.standing.seeds), "a draft")
bpy.ops.dreamfusion.cancel()
run.until(lambda: broken.state.over, "a broken contest")
said["broken"] = [broken.state.value, draw(Main).texts()]
bpy.ops.dreamfusion.resume_job(job_id=broken.id)
run.until(run.inserted(broken), "the resumed contest")
said["resumed"] = [broken.state.value, broken.winner]

# A draft whose file is gone is told; the pictures of a deleted contest are freed.
(job.folder / "seeds" / "5" / "mesh.glb").unlink()
try:
    bpy.ops.dreamfusion.insert_draft(job_id=job.id, seed=5)
    said["gone"] = []
except RuntimeError as error:
    said["gone"] = [str(error), run.session.trouble.code]
bpy.ops.dreamfusion.remove(job_id=job.id)
said["freed"] = icons.has(f"{job.id}/seed-3")

# What is said of a result belongs to that result: another one's replaces it, and a damaged one is none.
recipes.write(winner, recipes.read(winner), job.id)
said["other"] = recipes.verdict(winner)
damaged = ("{", 7, '{"a": 1}', '[1, "x"]')
said["damaged"] = []
for text in damaged:
    winner["dreamfusion_verdict"] = text
    said["damaged"].append(recipes.verdict(winner))

# The judge of the preferences goes with the recipe.
preferences = addon.preferences()
judges = []
for engine, text in (("own", ""), ("own", "off"), ("own", "/models/clip"), ("command", "~/clip "), ("own", "//clip")):
    preferences.engine, preferences.judge = engine, text
    judges.append(enqueue.recipe(context, "a").settings.get("judge"))
said["judges"] = judges

# Pictures come from the folder in a later session.
addon.disable()
run = Run(steps=20)
back = next(each for each in run.jobs if each.id == chosen.id)
said["back"] = [back.winner == seed, back.standing is not None, back.recipe.seeds, icons.has(f"{back.id}/seed-0")]
jobs = addon.part("ui.run.job_rows")
run.ticks(0.1)
window = context.window_manager.dreamfusion
window.index = [row.name for row in window.rows].index(back.id)
run.until(lambda: addon.part("ui.scene.icons").has(f"{back.id}/seed-{seed}"), "a picture from the folder")
drawn = draw(Results)
said["results"] = drawn.texts()
said["bug"] = str(run.session.bug)
addon.disable()
addon.tell(**said)
