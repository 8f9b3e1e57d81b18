"""A model folder that looks right from outside and holds no weights: for what happens before a model is opened."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path

PARTS = {
    "unet": "UNet2DConditionModel",
    "text_encoder": "T5EncoderModel",
    "tokenizer": "PreTrainedTokenizerFast",
    "scheduler": "DDPMScheduler",
}


def paper_weights(*, shape: tuple[int, ...] = (2, 3), dtype: str = "F16", name: str = "weight") -> bytes:
    """A whole safetensors file with one tensor of zeros (two bytes a number), by the format's description."""
    return paper_tensors({name: shape}, dtype=dtype)


def paper_tensors(shapes: Mapping[str, tuple[int, ...]], *, dtype: str = "F16") -> bytes:
    """A whole safetensors file with tensors of zeros, two bytes a number."""
    entries, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * math.prod(shape)
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + bytes(end)


def write_paper_model(folder: Path, *, words: tuple[str, ...] = ()) -> Path:
    """Write the folder; with `words` it has a card with that closed vocabulary. Returns the folder."""
    index: dict[str, object] = {"_class_name": "IFPipeline"}
    for part, kind in PARTS.items():
        (folder / part).mkdir(parents=True)
        (folder / part / "config.json").write_text("{}", encoding="utf-8")
        index[part] = ["library", kind]
    (folder / "tokenizer" / "tokenizer.json").write_text("{}", encoding="utf-8")
    (folder / "scheduler" / "scheduler_config.json").write_text("{}", encoding="utf-8")
    for part in ("unet", "text_encoder"):
        (folder / part / "model.safetensors").write_bytes(paper_weights())
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    if words:
        card = {
            "format": 1,
            "closed_vocabulary": True,
            "words": list(words),
            "kinds": ["hamburger", "mug"],
            "colours": ["red"],
            "examples": ["a red mug", "a hamburger"],
            "views": {"front": "front view", "side": "side view", "back": "back view", "overhead": "overhead view"},
            "shading": {"albedo": "flat colours", "lambertian": "", "textureless": "white clay"},
            "files": {"unet/model.safetensors": hashlib.sha256(paper_weights()).hexdigest()},
        }
        (folder / "dreamfusion.json").write_text(json.dumps(card), encoding="utf-8")
    return folder
