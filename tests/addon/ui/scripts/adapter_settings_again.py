"""The list in an object's recipe, and a file that has moved."""

import json
import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from adapter_list import add, folder, main, sent
from pumping import Run
from recording_layout import draw

run = Run()
settings = run.settings
run.greet()
settings.model = "owner/painter"
add("clay.safetensors", "mug-v2.safetensors")
settings.adapters.loras[0].weight = 0.7
job = run.generate("a <my-mug>")
run.until(run.inserted(job), "an object")
asked = json.loads((job.folder / "result.json").read_text())["settings"]["adapters"]
obj = bpy.context.view_layer.objects.active
panel = draw(bpy.types.DREAMFUSION_PT_object).texts()
settings.adapters.loras.clear()
settings.adapters.words.clear()
bpy.ops.dreamfusion.variation()
again = run.jobs[-1].recipe.settings["adapters"]
run.until(run.inserted(run.jobs[-1]), "another")
bpy.ops.dreamfusion.use_settings(job_id=job.id)
copied = sent()
preferences = addon.part("ui.settings.preferences").of()
preferences.engine, preferences.python = "python", addon.ENGINE_PYTHON
(folder / "clay.safetensors").rename(folder / "moved.safetensors")
jobs = len(run.jobs)
told: list[Any] = []
for operator in ("generate", "regenerate"):
    bpy.context.view_layer.objects.active = obj
    try:
        told.append(sorted(getattr(bpy.ops.dreamfusion, operator)()))
    except RuntimeError as error:
        told.append(str(error))
trouble = main()
kept = [line.file for line in run.settings.adapters.loras]
bpy.ops.dreamfusion.change_adapter(list_name="loras", index=0, filepath=str(folder / "moved.safetensors"))
mended = sent()
addon.tell(
    asked=asked,
    panel=panel,
    again=again,
    copied=copied,
    told=told,
    trouble=trouble["text"],
    queued=len(run.jobs) - jobs,
    kept=kept,
    mended=mended,
)
