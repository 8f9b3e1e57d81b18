"""Settings in a saved file that is opened again."""

import os
from pathlib import Path

import addon
import bpy

addon.enable()
settings = bpy.context.scene.dreamfusion
settings.prompt, settings.model, settings.seed = "a mug", "/models/of/mine", 7
settings.mesh.triangles = 1234
addon.preferences().token = "hf_secret_of_mine"
path = os.path.join(os.environ["FOLDER"], "saved.blend")
bpy.ops.wm.save_as_mainfile(filepath=path, compress=False)
bpy.ops.wm.read_homefile(use_empty=True)
fresh = bpy.context.scene.dreamfusion.prompt
bpy.ops.wm.open_mainfile(filepath=path)
settings = bpy.context.scene.dreamfusion
content = Path(path).read_bytes()
addon.tell(
    fresh=fresh,
    prompt=settings.prompt,
    model=settings.model,
    seed=settings.seed,
    triangles=settings.mesh.triangles,
    choice=settings.model_choice,
    token_in_file=b"hf_secret" in content,
)
