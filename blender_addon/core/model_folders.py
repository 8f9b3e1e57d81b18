"""Finding models on disk: diffusers folders, CLIP folders and whole single files. No bpy."""

from __future__ import annotations

import json
from pathlib import Path

_INDEX = "model_index.json"  # what makes a folder a diffusers pipeline
_CONFIG, _CONFIG_BYTES = "config.json", 1 << 20  # of a CLIP, and how large one may be
WHOLE_BYTES = 1_500_000_000  # from which a .safetensors file can be a whole model; smaller ones are LoRAs and parts


def find(folder: Path) -> list[Path]:
    """The folder itself if it is a model, else the models in it, sorted by name. Empty when there is none."""
    if _is_folder(folder):
        return [folder]
    try:
        return sorted(inner for inner in folder.iterdir() if _is_folder(inner) or _is_whole(inner))
    except OSError:  # a folder that is missing or may not be read has no models for us
        return []


def _is_folder(path: Path) -> bool:
    return (path / _INDEX).is_file() or _is_clip(path / _CONFIG)


def _is_clip(config: Path) -> bool:
    """Whether a config.json is that of a whole CLIP; the engine looks at the rest."""
    try:
        if not config.is_file() or config.stat().st_size > _CONFIG_BYTES:
            return False
        values = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and values.get("model_type") == "clip"


def _is_whole(path: Path) -> bool:
    return path.suffix.lower() == ".safetensors" and path.is_file() and path.stat().st_size >= WHOLE_BYTES
