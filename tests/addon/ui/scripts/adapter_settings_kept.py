"""The list in a saved file, with relative paths."""

import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from adapter_list import add, folder, sent
from pumping import Run

run = Run()
settings = run.settings
run.greet()
settings.model = "owner/painter"
path = str(folder / "scene.blend")
bpy.ops.wm.save_as_mainfile(filepath=path)
bpy.context.preferences.filepaths.use_relative_paths = True
add("clay.safetensors", "mug-v2.safetensors")
run.settings.adapters.loras[0].weight = 0.6
stored = [line.file for line in [*run.settings.adapters.loras, *run.settings.adapters.words]]
before = sent()
bpy.ops.wm.save_mainfile()
bpy.ops.wm.read_homefile(use_empty=True)
run.prepare()
fresh = sent()
bpy.ops.wm.open_mainfile(filepath=path)
after = sent()
bpy.ops.wm.read_homefile(use_empty=True)
run.settings.model = "owner/painter"
line = run.settings.adapters.loras.add()
line.file = "//loras/clay.safetensors"
jobs = len(run.jobs)
try:
    run.settings.prompt = "a mug"
    unsaved: Any = sorted(bpy.ops.dreamfusion.generate())
except RuntimeError as error:
    unsaved = str(error)
addon.tell(stored=stored, before=before, fresh=fresh, after=after, unsaved=unsaved, queued=len(run.jobs) - jobs)
