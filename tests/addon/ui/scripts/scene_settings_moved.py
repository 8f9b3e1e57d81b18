"""The two ends of each range, moved at random."""

import random

import addon
import bpy

addon.enable()
settings = bpy.context.scene.dreamfusion
preset = addon.part("core.engine_preset")
ends = [
    ("guidance", "t_max"),
    ("guidance", "t_min"),
    ("camera", "distance"),
    ("camera", "fov_deg"),
    ("camera", "elevation_deg"),
]
chance, seen = random.Random(1), []
for _ in range(300):
    stage, key = chance.choice(ends)
    group, which = getattr(settings, stage), chance.randrange(2)
    about = group.bl_rna.properties[key]
    low, high = about.hard_min, about.hard_max
    value = chance.choice((low, high, chance.uniform(low, high), chance.uniform(low, min(high, low + 10.0))))
    getattr(group, key)[which] = value
    moved = getattr(group, key)[which]
    kept = abs(moved - value) < 1e-5 or (stage == "camera" and which == 1 and moved == getattr(group, key)[0])
    seen.append([stage, key, kept, preset.read(settings)])
addon.tell(seen=seen)
