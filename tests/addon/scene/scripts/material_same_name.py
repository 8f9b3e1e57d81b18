"""Results of the same name: the picture of each."""

import sys
from pathlib import Path

import addon
import bpy

result, job = addon.part("ui.scene.insert"), addon.part("core.job")
paths = []
for glb in sys.argv[1:]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = result.insert(bpy.context, Path(glb), job.Recipe("a mug"), {})
    tree = obj.material_slots[0].material.node_tree
    image = next(node.image for node in tree.nodes if node.type == "TEX_IMAGE")
    paths.append([image.name, image.filepath])
addon.tell(paths=paths)
