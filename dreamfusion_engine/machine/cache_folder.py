"""The folder for what this engine can make again: embeddings, and the measured speed of the device."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import UnusablePath, given_path, shortened

FOLDER_VARIABLE = "DREAMFUSION_CACHE"


def cache_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return the folder of this engine's caches: DREAMFUSION_CACHE, or `dreamfusion` in the system's folder for caches.

    environ: the environment.
    platform: str, as sys.platform.
    Raises InputError input.cache for a path that no folder can have.
    """
    if platform == "win32":
        system = environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif platform == "darwin":
        system = "~/Library/Caches"
    else:
        system = environ.get("XDG_CACHE_HOME") or "~/.cache"
    given = environ.get(FOLDER_VARIABLE) or os.path.join(system, "dreamfusion")
    try:
        return given_path(given)
    except UnusablePath as error:
        raise InputError(
            "input.cache",
            what="The folder for the engine's caches cannot be used.",
            why=f"{shortened(given)}: {error}.",
            fix=f"Set {FOLDER_VARIABLE} to another folder.",
        ) from error
