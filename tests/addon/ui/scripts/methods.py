"""The method of a CLIP: offered, shown, sent, kept on the object and in the file."""

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
artist = addon.part("ui.settings.artist_settings")
artist.reset(settings)
enqueue = addon.part("ui.run.enqueue")
METHOD = "DREAMFUSION_PG_settings.method"


def look() -> dict[str, Any]:
    """What the sidebar shows and would send."""
    main, mesh = (draw(getattr(bpy.types, f"DREAMFUSION_PT_{name}")) for name in ("main", "mesh"))
    sent = enqueue.recipe(bpy.context, "a mug")
    names = [name.rpartition(".")[2] for name in main.properties() + mesh.properties()]
    rows = [
        name for name in ("method", "texture_choice", "best_of", "symmetry", "resolution", "triangles") if name in names
    ]
    return {
        "rows": rows,
        "sent": sent.settings,
        "seeds": sent.seeds,
        "views": settings.optimize.views,
        "texts": main.texts(),
        "changed": sorted(".".join(each) for each in artist.changed(settings)),
    }


settings.model = "owner/clip"
settings.method = "clip-mesh"
addon.tell(unknown=look())
run.greet()
settings.model = "starter"
addon.tell(denoiser=look())
settings.model, settings.method = "owner/clip", "field"
addon.tell(field=look())
settings.mesh.resolution = 77
settings.mesh.triangles = 4321
settings.best_of, settings.texture_model = 4, "starter"
settings.method = "clip-mesh"
addon.tell(bent=look())
settings.task = "TEXTURE"
addon.tell(texture=look(), painted=enqueue.texture_recipe(bpy.context, "a mug").settings)
settings.task = "OBJECT"
settings.prompt = "a mug"
settings.placement.start_from = "SELECTED"
poll = [bpy.ops.dreamfusion.generate.poll()]
why = enqueue.start_obstacle(bpy.context)
settings.placement.start_from = "NOTHING"
settings.pictures.rows.add()
poll.append(bpy.ops.dreamfusion.generate.poll())
pictured = addon.part("ui.run.pictures").obstacle(bpy.context)
settings.pictures.rows.clear()
poll.append(bpy.ops.dreamfusion.generate.poll())
addon.tell(poll=poll, why=[why, pictured])
settings.optimize.steps = 20
job = run.generate("a mug")
run.until(run.inserted(job), "an object")
obj = bpy.context.view_layer.objects.active
asked = json.loads((job.folder / "result.json").read_text())["settings"]
kept = json.loads((job.folder / "job.json").read_text())["recipe"]["settings"]
described = addon.part("ui.tools.asset").description(job.recipe)
addon.tell(asked=asked["method"], kept=kept["method"], described=described)
addon.tell(panel=draw(bpy.types.DREAMFUSION_PT_object).texts())
settings.method = "field"
again: list[Any] = []
for operator in ("regenerate", "variation"):
    bpy.context.view_layer.objects.active = obj
    getattr(bpy.ops.dreamfusion, operator)()
    again.append([run.jobs[-1].recipe.method, run.jobs[-1].recipe.seed])
    run.until(run.inserted(run.jobs[-1]), "another")
bpy.ops.dreamfusion.use_settings(job_id=job.id)
addon.tell(again=again, used=settings.method)
path = str(job.folder.parent / "kept.blend")
bpy.ops.wm.save_as_mainfile(filepath=path)
bpy.ops.wm.open_mainfile(filepath=path)
addon.tell(opened=run.settings.method)
