"""A run from Generate to the object in its place."""

import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run(steps=60)
before = set(bpy.data.objects.keys())
bpy.context.scene.cursor.location = (1.0, 2.0, 0.5)
run.settings.placement.size = 2.0
run.settings.seed = 11
job = run.generate("a red hamburger")
run.until(lambda: run.preview() is not None, "a preview object")
preview = run.preview()
addon.tell(preview_vertices=len(preview.data.vertices), running=job.state.value)
pictures = addon.part("ui.scene.icons")
run.until(lambda: pictures.has(job.id + "/latest") and pictures.has(job.id + "/views/3"), "pictures in the panel")
stages: set[str] = set()


def done() -> Any:
    stages.add(job.stage)
    return job.inserted


run.until(done, "the object")
run.until(lambda: pictures.has(job.id + "/thumbnail"), "its picture in the results")
obj = bpy.context.view_layer.objects.active
low = min((obj.matrix_world @ v.co).z for v in obj.data.vertices)
addon.tell(
    new=sorted(set(bpy.data.objects.keys()) - before),
    name=obj.name,
    selected=obj.select_get(),
    state=job.state.value,
    size=max(obj.dimensions),
    low=low,
    xy=list(obj.matrix_world.translation)[:2],
    seed=job.recipe.seed,
    preset=job.recipe.preset,
    sent=job.recipe.settings,
    preview=run.preview() is not None,
    stages=sorted(stages),
    rows=[row.name == job.id for row in bpy.context.window_manager.dreamfusion.rows],
    notes=job.notes,
    thumbnail=(pictures.has(job.id + "/thumbnail")),
    folder=job.folder.is_dir(),
)
addon.disable()
addon.tell(children=run.children())
