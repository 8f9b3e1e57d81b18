"""A CLIP's folder: whether it is one that can teach, and the sizes of its two towers. Nothing is loaded.

It is the folder of a CLIPModel of transformers: config.json, model.safetensors, a tokenizer, preprocessor_config.json.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.inputs.given_path import absence
from dreamfusion_engine.models.part_configs import LARGEST_PICTURE, check_network, check_tokenizer, check_vocabulary_of
from dreamfusion_engine.models.part_weights import damaged, incomplete, read_json

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
_TOWERS = ("text_config", "vision_config")
# What a CLIPConfig means where it says nothing.
_VISION: dict[str, int] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "image_size": 224,
    "patch_size": 32,
}
_TEXT: dict[str, int] = {
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "max_position_embeddings": 77,
    "vocab_size": 49_408,
}
_MOST = 100_000_000  # of any number of a tower; a vocabulary is its largest
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)  # of the published CLIPs (arXiv 2103.00020), where a folder gives none
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True)
class Tower:
    """The numbers of a transformer that decide its size.

    width: int, numbers of a token.
    inner: int, of its feed-forward layers.
    layers: int.
    tokens: int, of one picture or of the longest text.
    inputs: int, what a token is made of: values of a patch, or words of the vocabulary.
    vector: int, length of the embedding that comes out.
    pixels: int, side of the pictures; 0 for texts.
    """

    width: int
    inner: int
    layers: int
    tokens: int
    inputs: int
    vector: int
    pixels: int = 0

    @property
    def parameters(self) -> int:
        """The number of its weights."""
        attention = 4 * self.width * (self.width + 1)
        forward = 2 * self.width * self.inner + self.width + self.inner
        layer = attention + forward + 4 * self.width
        ends = (self.inputs + self.tokens) * self.width + self.width * self.vector
        # A picture has a token of its own for the whole, and a norm before the first layer; both have one at the end.
        return self.layers * layer + ends + (5 if self.pixels else 2) * self.width


def is_clip(folder: Path) -> bool:
    """Return whether a folder's config.json names a CLIP, or a tower of one.

    folder: Path.
    Raises SetupError model.damaged for a config.json that cannot be read.
    """
    if not (folder / CONFIG).is_file():
        return False
    named = read_json(folder / CONFIG).get("model_type")
    return isinstance(named, str) and "clip" in named


def check_clip(folder: Path) -> None:
    """Raise SetupError unless the small files of a CLIP's folder make sense and say that it has both towers.

    folder: Path.
    Raises SetupError model.unsupported, model.incomplete, model.damaged.
    """
    config = read_json(folder / CONFIG)
    if config.get("model_type") != "clip":
        raise _no_teacher(f"its {CONFIG} is that of a {str(config.get('model_type'))[:60]!r}, not of a whole CLIPModel")
    for name in _TOWERS:
        if not isinstance(config.get(name), dict):
            raise _no_teacher(f"it is a CLIP without {name.partition('_')[0]} tower: {CONFIG} has no '{name}'")
    check_network(folder, ".")
    check_vocabulary_of(folder, ".")
    check_tokenizer(folder, ".")
    if not (folder / PROCESSOR).is_file():
        raise incomplete(folder, f"{PROCESSOR} {absence(folder / PROCESSOR)}")
    picture_statistics(folder)
    vision, text = towers(folder)
    if not vision.tokens > 1 or vision.pixels > LARGEST_PICTURE:
        raise damaged(folder, f"{CONFIG} gives pictures of {vision.pixels:,} pixels and larger patches")
    if vision.vector != text.vector:
        raise damaged(folder, f"{CONFIG} gives its towers different vectors")


def towers(folder: Path) -> tuple[Tower, Tower]:
    """Return the sizes of the tower of pictures and of that of words.

    folder: Path of a CLIP.
    Raises SetupError model.damaged.
    """
    config = read_json(folder / CONFIG)
    vector = _count(folder, config, "projection_dim", 512)
    seen, read = (config[name] if isinstance(config.get(name), dict) else {} for name in ("vision_config", _TOWERS[0]))
    v = {name: _count(folder, seen, name, default) for name, default in _VISION.items()}
    t = {name: _count(folder, read, name, default) for name, default in _TEXT.items()}
    if seen.get("num_channels", 3) != 3:
        raise _no_teacher("its pictures have no three channels")
    vision = Tower(
        width=v["hidden_size"],
        inner=v["intermediate_size"],
        layers=v["num_hidden_layers"],
        tokens=(v["image_size"] // v["patch_size"]) ** 2 + 1,
        inputs=3 * v["patch_size"] ** 2,
        vector=vector,
        pixels=v["image_size"],
    )
    text = Tower(
        width=t["hidden_size"],
        inner=t["intermediate_size"],
        layers=t["num_hidden_layers"],
        tokens=t["max_position_embeddings"],
        inputs=t["vocab_size"],
        vector=vector,
    )
    return vision, text


def picture_statistics(folder: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation, three numbers each, by which its pictures are normalised.

    folder: Path of a CLIP.
    Raises SetupError model.damaged.
    """
    config = read_json(folder / PROCESSOR)
    mean, std = config.get("image_mean", CLIP_MEAN), config.get("image_std", CLIP_STD)
    for name, values in (("image_mean", mean), ("image_std", std)):
        numbers = isinstance(values, list | tuple) and len(values) == 3
        if not numbers or not all(type(each) in (int, float) and math.isfinite(each) for each in values):
            raise damaged(folder, f"{PROCESSOR} gives {name} as {str(values)[:60]}")
    if min(std) <= 0.0:
        raise damaged(folder, f"{PROCESSOR} gives image_std as {str(std)[:60]}")
    return tuple(map(float, mean)), tuple(map(float, std))


def _count(folder: Path, config: Mapping[str, Any], name: str, default: int) -> int:
    value = config.get(name, default)
    if type(value) is not int or not 1 <= value <= _MOST:
        raise damaged(folder, f"{CONFIG} gives {name} as {str(value)[:60]}")
    return value


def _no_teacher(why: str) -> SetupError:
    return SetupError(
        "model.unsupported",
        what="This CLIP cannot teach.",
        why=f"{why[0].upper()}{why[1:]}. Pictures are compared with words, so it needs both towers.",
        fix="Give the folder of a whole CLIPModel of transformers: config.json, model.safetensors, tokenizer, "
        "preprocessor_config.json.",
    )
