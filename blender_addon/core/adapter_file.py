"""What a .safetensors file holds, by its header: a LoRA, or a learned word (textual inversion). No tensor is loaded.

The list in the sidebar shows what comes from here. Whether a file fits the model, only the engine can say.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .phrase import phrase

_LARGEST = 16 << 20  # bytes of a header; those of LoRAs are under one MiB
_LONGEST = 100  # characters of a word, as the engine has it
_PICKLES = (".pt", ".bin", ".ckpt", ".pth")
_UNNAMED = ("emb_params", "clip_l", "clip_g", "string_to_param.*", "*")  # names of tensors that do not tell the word


class NoAdapter(ValueError):
    """The file is neither a LoRA nor a learned word. The text says why, as a sentence for the artist."""


@dataclass(frozen=True)
class AdapterFile:
    """A LoRA, or a learned word.

    word: str, the word as a prompt says it; '' for a LoRA.
    """

    word: str = ""


def read(path: Path) -> AdapterFile:
    """Tell what a file is.

    path: Path, the file.
    Raises NoAdapter for any other file, and for one that cannot be read.
    """
    if path.suffix.lower() in _PICKLES:
        raise NoAdapter(
            phrase(
                "{name} is a Python pickle, which can run code. Get it as .safetensors, or convert it", name=path.name
            )
        )
    try:
        tensors = _header(path)
    except OSError as error:
        raise NoAdapter(
            phrase("{name} cannot be read: {error}", name=path.name, error=error.strerror or error)
        ) from error
    except (ValueError, RecursionError, struct.error) as error:
        raise NoAdapter(
            phrase("{name} is no whole .safetensors file. Copy or download it again", name=path.name)
        ) from error
    names = [name for name in tensors if name != "__metadata__"]
    if not names:
        raise NoAdapter(phrase("{name} is empty. Copy or download it again", name=path.name))
    if len(names) > 2 or any("lora" in name for name in names) or not all(_is_flat(tensors[name]) for name in names):
        return AdapterFile()
    word = path.stem if names[0] in _UNNAMED else names[0]
    if not word.strip() or len(word) > _LONGEST or any(letter.isspace() for letter in word) or not word.isprintable():
        raise NoAdapter(
            phrase(
                "'{word}' is no word that a prompt can say. Rename the file {name}",
                word=word[:_LONGEST],
                name=path.name,
            )
        )
    return AdapterFile(word)


def _header(path: Path) -> dict[str, Any]:
    """Names and descriptions of the tensors. Raises OSError, ValueError."""
    with path.open("rb") as stream:
        (size,) = struct.unpack("<Q", stream.read(8))
        if size > _LARGEST:
            raise ValueError("no header is so long")
        values = json.loads(stream.read(size))
    if not isinstance(values, dict):
        raise ValueError("a header is a group of tensors")
    return values


def _is_flat(tensor: Any) -> bool:
    """Whether a tensor's description says that it holds vectors."""
    shape = tensor.get("shape") if isinstance(tensor, dict) else None
    return isinstance(shape, list) and len(shape) in (1, 2)
