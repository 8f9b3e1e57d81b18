"""Files are added, refused and taken away."""

import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from adapter_list import add, folder, main, sent
from pumping import Run

run = Run()
settings = run.settings
run.greet()
settings.model = "owner/painter"
settings.prompt = "a mug"
add("clay.safetensors", "gold.safetensors", "mug-v2.safetensors", "jug.safetensors", "clay.safetensors")
mine = settings.adapters
mine.loras[0].weight, mine.loras[1].use = 0.8, False
first = {"sent": sent(), "main": main(), "words": [line.word for line in mine.words]}
wrong: list[Any] = []
for name in ("cut.safetensors", "old.pt", "absent.safetensors"):
    try:
        wrong.append(sorted(bpy.ops.dreamfusion.add_adapter(filepath=str(folder / name))))
    except RuntimeError as error:
        wrong.append(str(error))
addon.part("ui.settings.preferences").of().engine = "python"  # of this machine, so the file must be there
try:
    bpy.ops.dreamfusion.add_adapter(filepath=str(folder / "absent.safetensors"))
except RuntimeError as error:
    wrong.append(str(error))
counts = [len(mine.loras), len(mine.words)]
settings.prompt = "a <MY-MUG> beside a jug"
said = main()["text"]
bpy.ops.dreamfusion.remove_adapter(list_name="loras", index=0)
bpy.ops.dreamfusion.remove_adapter(list_name="words", index=1)
bpy.ops.dreamfusion.remove_adapter(list_name="words", index=9)
left = [[line.file for line in mine.loras], [line.word for line in mine.words]]
addon.tell(first=first, wrong=wrong, counts=counts, said=said, left=left)
