"""Where this engine keeps what it can make again: embeddings, and the measured speed of the device."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

FOLDER_VARIABLE = "DREAMFUSION_CACHE"


def cache_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The folder of this engine's caches: DREAMFUSION_CACHE, or `dreamfusion` in the system's folder for caches."""
    own = environ.get(FOLDER_VARIABLE)
    if own:
        return Path(own).expanduser()
    if platform == "win32":
        system = environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif platform == "darwin":
        system = "~/Library/Caches"
    else:
        system = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(system).expanduser() / "dreamfusion"
