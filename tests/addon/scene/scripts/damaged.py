"""Try to insert damaged files, and tell why they were refused."""

import sys
from pathlib import Path

import addon
import bpy
import scene_probe

result, job, glb = addon.part("ui.scene.insert"), addon.part("core.job"), addon.part("core.engine.glb")
whole = Path(sys.argv[1]).read_bytes()
before = scene_probe.counts()
whys = []
for data in (b"", b"glTF nonsense", whole[:1000], whole[:-1], bytes(2000)):
    try:
        result.insert(bpy.context, data, job.Recipe("x"), {})
    except glb.DamagedMesh as damage:
        whys.append(damage.trouble.why)
addon.tell(whys=whys, same=scene_probe.counts() == before)
