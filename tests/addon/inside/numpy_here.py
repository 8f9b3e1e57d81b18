"""For scripts in a Blender whose Python lacks numpy, as Debian's does: the numpy of another one of the same Python."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path


def find() -> bool:
    """Make numpy importable, if any environment with a bpy has one for this Python. Returns whether it is."""
    if importlib.util.find_spec("numpy") is not None:
        return True
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folder = Path(os.environ.get("DREAMFUSION_BPY_ENVIRONMENTS") or Path(os.environ["DREAMFUSION_TEST_ROOT"], ".venvs"))
    for found in sorted(folder.glob(f"bpy-*/lib/{python}/site-packages/numpy"), reverse=True):
        links = Path(tempfile.mkdtemp())  # of numpy alone: the bpy beside it is another Blender's
        for name in ("numpy", "numpy.libs"):
            if (found.parent / name).exists():
                (links / name).symlink_to(found.parent / name)
        sys.path.append(str(links))
        importlib.invalidate_caches()
        return True
    return False
