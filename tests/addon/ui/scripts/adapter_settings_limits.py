"""The ends of a weight, and strange recipes."""

import sys

import addon

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from pumping import Run

run = Run()
settings = run.settings
weight = addon.part("ui.settings.adapter_settings").DREAMFUSION_PG_lora.bl_rna.properties["weight"]
strange = {"adapters": {"lora": [["a", 1e9], ["b"], 3, ["c", "x"], ["", 1.0], ["d", 0.5]], "embeddings": [3, "", "e"]}}
addon.part("ui.settings.adapter_settings").put(settings, strange)
mine = settings.adapters
got = [[(line.file, line.weight) for line in mine.loras], [line.file for line in mine.words]]
addon.part("ui.settings.adapter_settings").put(settings, {"adapters": "x"})
addon.tell(low=weight.hard_min, high=weight.hard_max, got=got, none=[len(mine.loras), len(mine.words)])
