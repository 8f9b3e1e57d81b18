"""A second model for the texture: chosen, told, sent, kept on the object and in the file."""

import json
import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run
from recording_layout import draw

run = Run()
settings = run.settings
addon.part("ui.settings.artist_settings").reset(settings)
run.greet()
enqueue = addon.part("ui.run.enqueue")
models = addon.part("ui.settings.models")


def costs() -> list[str]:
    return draw(bpy.types.DREAMFUSION_PT_main).texts()


offered = [item[0] for item in models.texture_items(settings, bpy.context)]
plain = enqueue.recipe(bpy.context, "a mug").settings
addon.tell(offered=offered, at_first=settings.texture_choice, plain="texture" in plain, alone=costs())
settings.texture_choice = "owner/painter"
addon.tell(name=settings.texture_model, both=costs(), sent=enqueue.recipe(bpy.context, "a mug").settings["texture"])
settings.task = "TEXTURE"
addon.tell(painted="texture" in enqueue.texture_recipe(bpy.context, "a mug").settings)
shown = draw(bpy.types.DREAMFUSION_PT_main).properties()
settings.task = "OBJECT"
addon.tell(
    shown=[
        name in props
        for props in (shown, draw(bpy.types.DREAMFUSION_PT_main).properties())
        for name in ("DREAMFUSION_PG_settings.texture_choice",)
    ]
)
settings.optimize.steps = 20
job = run.generate("a mug")
run.until(run.inserted(job), "an object")
obj = bpy.context.view_layer.objects.active
asked = json.loads((job.folder / "result.json").read_text())["settings"]
addon.tell(asked=asked["texture"], panel=draw(bpy.types.DREAMFUSION_PT_object).texts())
kept = json.loads((job.folder / "job.json").read_text())["recipe"]["settings"]["texture"]
settings.texture_choice = "NONE"
again: list[Any] = []
for operator in ("regenerate", "variation"):
    bpy.context.view_layer.objects.active = obj
    getattr(bpy.ops.dreamfusion, operator)()
    again.append([run.jobs[-1].recipe.settings["texture"], run.jobs[-1].recipe.seed])
    run.until(run.inserted(run.jobs[-1]), "another")
none = settings.texture_model
bpy.ops.dreamfusion.use_settings(job_id=job.id)
addon.tell(kept=kept, again=again, none=none, used=settings.texture_model)
# A model that is told a picture needs words after all, where another one is to paint.
settings.texture_model, settings.model, settings.prompt = "owner/painter", "owner/told", ""
settings.pictures.rows.add()
with_painter = bpy.ops.dreamfusion.generate.poll()
settings.texture_model = ""
addon.tell(poll=[with_painter, bpy.ops.dreamfusion.generate.poll()])
settings.texture_model = "/models/nobody/has"
settings.pictures.rows.clear()
path = str(job.folder.parent / "kept.blend")
bpy.ops.wm.save_as_mainfile(filepath=path)
bpy.ops.wm.open_mainfile(filepath=path)
addon.tell(opened=run.settings.texture_model, choice=run.settings.texture_choice)
