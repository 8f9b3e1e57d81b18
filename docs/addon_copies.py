"""Copies into the add-on what it carries of the engine: python docs/addon_copies.py

That is every file of dreamfusion_engine/wire/ that blender_addon/core/ has by the same name. The add-on sees no engine
code, so it has a copy of the protocol and of what the protocol needs.
"""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIRE = ROOT / "dreamfusion_engine" / "wire"
CORE = ROOT / "blender_addon" / "core"

if __name__ == "__main__":
    for path in sorted(WIRE.glob("*.py")):
        copy = CORE / path.name
        if copy.is_file() and not path.name.startswith("__"):
            shutil.copyfile(path, copy)
