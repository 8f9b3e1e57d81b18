"""The catalog "DreamFusion" of Blender's Asset Browser: a line in the text file that Blender keeps beside assets.

The format is Blender's (manual, "Asset Catalogs"): UUID:path:simple name, one a line, after a line VERSION 1.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

CATALOG = "6f1f3a52-7f0e-4d0c-9d54-5b1b0f6f3c1d"  # the same in every library, so that assets can move between them
NAME = "DreamFusion"
FILE = "blender_assets.cats.txt"
_HEADER = "# This is an Asset Catalog Definition file for Blender.\nVERSION 1\n"


def ensure(folder: Path) -> bool:
    """Write the catalog into the folder's file, if it is not there yet. The rest of the file stays.

    folder: Path of the folder with the catalogs.
    Returns whether it was written.
    Raises OSError.
    """
    file = folder / FILE
    text = file.read_text(encoding="utf-8") if file.exists() else _HEADER
    if any(line.startswith(CATALOG + ":") for line in text.splitlines()):
        return False
    if not text.endswith("\n"):
        text += "\n"
    _write(file, f"{text}{CATALOG}:{NAME}:{NAME}\n")
    return True


def library_of(blend: Path, libraries: list[Path]) -> Path:
    """The folder with the catalogs of a .blend: the asset library that it lies in, else its own folder.

    blend: Path of the .blend.
    libraries: Paths of the asset libraries.
    """
    inside = [root for root in libraries if root in blend.parents]
    return max(inside, key=lambda root: len(root.parts), default=blend.parent)


def _write(file: Path, text: str) -> None:
    """Replace the file whole, so that nobody reads half of it."""
    handle, temporary = tempfile.mkstemp(prefix=FILE, dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        if file.exists():
            Path(temporary).chmod(file.stat().st_mode & 0o777)
        else:
            Path(temporary).chmod(0o644)
        Path(temporary).replace(file)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
