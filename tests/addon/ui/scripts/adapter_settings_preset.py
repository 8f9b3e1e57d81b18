"""The list in saved presets, of now and of before."""

import os
import sys
from pathlib import Path
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from adapter_list import add, folder
from pumping import Run

run = Run()
settings = run.settings
run.greet()
settings.model = "owner/painter"
add("clay.safetensors", "gold.safetensors", "mug-v2.safetensors")
mine = settings.adapters
mine.loras[0].weight, mine.loras[1].use = 0.8, False
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "one.blend"))
mine.loras[0].file = "//clay.safetensors"
bpy.ops.dreamfusion.add_preset(name="With Clay")
places = bpy.utils.preset_paths("dreamfusion")
saved = next(Path(place) / name for place in places for name in os.listdir(place) if name.endswith(".py"))


def lists() -> Any:
    return {
        "loras": [[line.file, round(line.weight, 4), line.use] for line in mine.loras],
        "words": [[line.file, line.word, line.use] for line in mine.words],
    }


def chosen(path: Any) -> Any:
    bpy.ops.script.execute_preset(filepath=str(path), menu_idname="DREAMFUSION_PT_presets")
    return lists()


mine.loras.clear(), mine.words.clear()
add("gold.safetensors")
text = saved.read_text()
older = saved.with_name("Older.py")
older.write_text("".join(line for line in text.splitlines(True) if "adapters" not in line))
kept = [line for line in text.splitlines() if "adapters" in line]
damaged = saved.with_name("Damaged.py")
damaged.write_text(text.replace(kept[0], "settings.adapters.kept = '[1'"))
facts = {"older": chosen(older), "damaged": chosen(damaged), "new": chosen(saved), "lines": len(kept)}
mine.loras.clear(), mine.words.clear()
bpy.ops.dreamfusion.add_preset(name="Plain")
add("gold.safetensors")
facts["plain"] = chosen(saved.with_name("Plain.py"))
addon.tell(**facts)
