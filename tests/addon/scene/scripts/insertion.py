"""Three insertions of a mesh, and how long each took; then of each file that is named, and what that was counted."""

import sys
import time
from pathlib import Path

import addon
import bpy
import effort

result, job = addon.part("ui.scene.insert"), addon.part("core.job")
files = [Path(word) for word in sys.argv[1:]]
cpu, wall = [], []
for _ in range(3):
    clock, began = time.perf_counter(), time.process_time()
    result.insert(bpy.context, files[0], job.Recipe("x"), {})
    cpu.append(time.process_time() - began)
    wall.append(time.perf_counter() - clock)
lines, triangles = [], []
for file in files:
    with effort.counted() as counted:
        obj = result.insert(bpy.context, file, job.Recipe("x"), {})
    lines.append(counted.lines)
    triangles.append(len(obj.data.polygons))
addon.tell(cpu=cpu, wall=wall, lines=lines, triangles=triangles)
