"""Finding models on disk: diffusers folders and whole single files. No bpy."""

from __future__ import annotations

from pathlib import Path

_INDEX = "model_index.json"  # what makes a folder a diffusers pipeline
WHOLE_BYTES = 1_500_000_000  # from which a .safetensors file can be a whole model; smaller ones are LoRAs and parts


def find(folder: Path) -> list[Path]:
    """The folder itself if it is a model, else the models in it, sorted by name. Empty when there is none."""
    if (folder / _INDEX).is_file():
        return [folder]
    try:
        return sorted(inner for inner in folder.iterdir() if (inner / _INDEX).is_file() or _is_whole(inner))
    except OSError:  # a folder that is missing or may not be read has no models for us
        return []


def _is_whole(path: Path) -> bool:
    return path.suffix.lower() == ".safetensors" and path.is_file() and path.stat().st_size >= WHOLE_BYTES
