"""For scripts inside Blender: LoRAs and words in the scene's list, what is sent of them, and what the panel says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import addon
import bpy
from recording_layout import draw

folder = Path(os.environ["FOLDER"])


def add(*names: str) -> None:
    """Add files of the folder as the button does."""
    for name in names:
        bpy.ops.dreamfusion.add_adapter(filepath=str(folder / name))


def sent() -> Any:
    """What a job would be sent with; None where that is nothing."""
    return addon.part("ui.run.enqueue").recipe(bpy.context, "a mug").settings.get("adapters")


def main() -> dict[str, Any]:
    """What the main panel shows."""
    drawn = draw(bpy.types.DREAMFUSION_PT_main)
    return {"texts": drawn.texts(), "text": " ".join(drawn.texts()), "operators": drawn.operators()}
