"""A list of files, under models that take all, some and none."""

import sys
from typing import Any

import addon
import bpy

sys.path.insert(0, str(addon.ROOT / "tests" / "addon" / "ui"))
from adapter_list import add, main, sent
from pumping import Run

run = Run()
settings = run.settings
run.greet()
poll = bpy.ops.dreamfusion.add_adapter.poll


def state(model: Any) -> Any:
    settings.model = model
    return {"poll": poll(), "sent": sent(), **main()}


empty = state("starter")
settings.model = "owner/painter"
add("clay.safetensors", "jug.safetensors")
addon.tell(empty=empty, starter=state("starter"), speaker=state("owner/speaker"), unknown=state("/models/mine"))
