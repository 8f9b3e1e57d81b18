"""Select the files of a model to download: what a run reads, in half precision where there is such a variant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from dreamfusion_engine.errors import SetupError

INDEX = "model_index.json"
BESIDE = ("dreamfusion.json", "kinds.png")  # our own card, where a model has one
UNUSED_PARTS = ("safety_checker", "feature_extractor", "image_encoder", "watermarker")  # nothing here reads them
_TOLD_A_PICTURE = ("cc_projection", "clip_camera_projection")  # beside them the image encoder is read ...
_TOLD_WORDS_TOO = ("MVDreamPipeline", "ImageDreamPipeline")  # ... and in these, where there is one: in ImageDream's
VARIANTS = ("fp16", "bf16", None)
_SMALL = re.compile(r".+\.(?:json|txt|model|tiktoken)")  # configs, vocabularies
_SHARD_INDEX = re.compile(r".+\.safetensors\.index(?:\.\w+)?\.json")
# name[.variant].safetensors, name[.variant]-00001-of-00002[.variant].safetensors
_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|model)(?:\.(?P<a>\w+))?(?P<shard>-\d+-of-\d+)?(?:\.(?P<b>\w+))?\.safetensors"
)
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def wanted_files(index: Mapping[str, Any], paths: Iterable[str], *, weights: bool = True) -> list[str]:
    """Return the files to download, small ones first.

    index: the content of model_index.json.
    paths: every file of the model.
    weights: bool; False for configs and vocabularies only, which a single-file checkpoint needs beside itself.
    Raises SetupError model.pickled for a part whose weights are pickles only.
    """
    paths = list(paths)
    small = [path for path in (INDEX, *BESIDE) if path in paths]
    large: list[str] = []
    inside: dict[str, list[str]] = {}
    for folder, slash, name in (path.partition("/") for path in paths):
        if slash and "/" not in name:
            inside.setdefault(folder, []).append(name)
    for part in sorted(used_parts(index)):
        names = inside.get(part, [])
        chosen = _weights(names)
        small += [f"{part}/{name}" for name in names if _SMALL.fullmatch(name) and not _SHARD_INDEX.fullmatch(name)]
        if not weights:
            continue
        pickles = [name for name in names if name.endswith(_PICKLES)]
        if pickles and not chosen:
            raise SetupError(
                "model.pickled",
                what="The model's weights are stored in a format that can run code when it is opened.",
                why=f"{part}/{pickles[0]} is a Python pickle, and the hub has no .safetensors file beside it.",
                fix="Look at the hub for a copy of the model in safetensors.",
            )
        large += [f"{part}/{name}" for name in chosen]
    return [*small, *large]


def used_parts(index: Mapping[str, Any]) -> set[str]:
    """Return the parts of a pipeline that a run can need: those that it has, without those that nothing here reads."""
    there = {part for part, entry in index.items() if isinstance(entry, list) and len(entry) == 2 and all(entry)}
    told = bool(there & set(_TOLD_A_PICTURE)) or index.get("_class_name") in _TOLD_WORDS_TOO
    read = {"image_encoder"} if told else set()
    return {part for part in there if part in read or part not in UNUSED_PARTS}


def _weights(names: list[str]) -> list[str]:
    """The weights of one part: of the first variant that is there, with its list of shards."""
    found = [(match["a"] or match["b"], match) for name in names if (match := _WEIGHTS.fullmatch(name))]
    for variant in VARIANTS:
        mine = [match for its, match in found if its == variant]
        whole = [match[0] for match in mine if not match["shard"]]
        if whole:
            return whole
        if mine:
            ending = f".index.{variant}.json" if variant else ".index.json"
            return [*(name for name in names if name.endswith(f".safetensors{ending}")), *(match[0] for match in mine)]
    return []
