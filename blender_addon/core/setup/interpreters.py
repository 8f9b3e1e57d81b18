"""The Pythons on this machine that the engine's environment could be made from. Standard library only, no bpy."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

VERSIONS = ("3.12", "3.11", "3.13", "3.10")  # versions that the engine runs on, the best first


def candidates(preferred: str = "") -> list[list[str]]:
    """Commands that may start a Python that fits, best first. Only asking it tells whether it fits.

    preferred: str, the artist's choice, which is then the only candidate; '' for none.

    Blender's own Python comes first. Every Blender has one, except some that come with a Linux distribution. In
    Blender, `sys.executable` may also be the first python3 on PATH, which serves as well.
    """
    if preferred:
        return [[preferred]]
    found: list[list[str]] = []
    for path in [*_own(), *_on_path()]:
        if path and [path] not in found:
            found.append([path])
    if os.name == "nt" and (launcher := shutil.which("py")):
        found += [[launcher, f"-{version}"] for version in VERSIONS]
    return found


def _own() -> list[str]:
    """Blender's own Python: where Blender says that it runs, and where Blender's packages put it."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    names = ("python.exe",) if os.name == "nt" else (f"python{version}", "python3")
    folders = [Path(sys.base_prefix) / "bin", Path(sys.base_prefix), Path(sys.prefix) / "bin"]
    executable = Path(sys.executable or "")
    own = [str(executable)] if "python" in executable.name.lower() and executable.is_file() else []
    return own + [str(folder / name) for folder in folders for name in names if (folder / name).is_file()]


def _on_path() -> list[str]:
    names = [f"python{version}" for version in VERSIONS] + ["python3", "python"]
    return [path for name in names if (path := shutil.which(name))]
