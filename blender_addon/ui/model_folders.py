"""Finding diffusers models on disk. No bpy."""

from __future__ import annotations

from pathlib import Path

_INDEX = "model_index.json"  # what makes a folder a diffusers pipeline


def find(folder: Path) -> list[Path]:
    """The folder itself if it is a model, else those folders in it that are, by name. Empty when there is none."""
    if (folder / _INDEX).is_file():
        return [folder]
    try:
        return sorted(inner for inner in folder.iterdir() if (inner / _INDEX).is_file())
    except OSError:  # no folder, or one that may not be read: it has no models for us
        return []
