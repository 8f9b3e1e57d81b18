"""The weights of one part of a pipeline folder: which files are loaded, whether all are there, how large they are.

diffusers and transformers look for `diffusion_pytorch_model.safetensors` or `model.safetensors`, for several shards
that an `.index.json` lists, and for either with a variant in the name, such as fp16. Only headers are read here, so a
truncated download is found in milliseconds.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.inputs.given_path import absence
from dreamfusion_engine.models.safetensors_header import TENSOR_LIMIT, DamagedHeader, TensorEntry, read_header
from dreamfusion_engine.wire.bounded_json import FILE_LIMIT, LARGEST_INTEGER, read_json_file

STEMS = ("diffusion_pytorch_model", "model")  # of diffusers' parts and of transformers'
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
FLOATS = ("F16", "BF16", "F32", "F64")
VARIANTS = ("fp16", "bf16", None)  # in the order of preference: half the reading for the values that are used
_SHARDS = 200  # of a part; the largest text encoders have ten
_INDEX_BYTES = 4 << 20  # of a list of shards
_INDEX = re.compile(rf"({'|'.join(STEMS)})\.safetensors\.index(?:\.(\w+))?\.json")
_SINGLE = re.compile(rf"({'|'.join(STEMS)})(?:\.(\w+))?\.safetensors")


@dataclass(frozen=True, kw_only=True)
class PartWeights:
    """The files that are loaded for one part.

    variant: 'fp16' or None.
    files: Paths of all shards.
    bytes: int, of tensors as stored.
    parameters: int, how many numbers.
    dtype: str, the stored type of most of them, such as 'F16'.
    """

    variant: str | None
    files: tuple[Path, ...]
    bytes: int
    parameters: int
    dtype: str

    def tensors(self) -> dict[str, TensorEntry]:
        """Return the tensors of all shards by name; the headers were read before, and are sound."""
        return {name: entry for file in self.files for name, entry in read_header(file).items()}


def read_part_weights(folder: Path, part: str) -> PartWeights:
    """Read the headers and the index of a part's weights and check them.

    folder: Path of the model.
    part: str, name of the part.
    Raises SetupError model.incomplete (no weights, or a shard is missing), model.pickled (only pickles), model.damaged
        (a file is cut off or is not what its index says).
    """
    names = sorted(file.name for file in (folder / part).iterdir() if file.is_file())
    indices = {match[2]: match[0] for name in names if (match := _INDEX.fullmatch(name))}
    singles = {match[2]: match[0] for name in names if (match := _SINGLE.fullmatch(name))}
    for variant in VARIANTS:
        name, index = singles.get(variant), indices.get(variant)
        if index is not None and (name is None or index.startswith(STEMS[0])):
            shards = _sharded(folder, part, index)  # where both are there diffusers takes the shards, transformers not
        elif name is not None:
            shards = {folder / part / name: _header(folder, f"{part}/{name}")}
        else:
            continue
        return _checked_types(folder, part, _summed(variant, shards))
    raise _no_weights(folder, part, names)


def _sharded(folder: Path, part: str, index: str) -> dict[Path, dict[str, TensorEntry]]:
    placed = _weight_map(folder, f"{part}/{index}")
    shards: dict[Path, dict[str, TensorEntry]] = {}
    names, tensors = sorted(set(placed.values())), 0
    if len(names) > _SHARDS or len(placed) > TENSOR_LIMIT:
        raise damaged(
            folder, f"{part}/{index} lists {len(placed):,} tensors in {len(names):,} files, more than any model has"
        )
    for name in names:
        if Path(name).name != name:
            raise damaged(folder, f"{part}/{index} names {name[:200]!r}, which is not a file beside it")
        if not (folder / part / name).is_file():
            gone = absence(folder / part / name)
            raise incomplete(folder, f"{part}/{name} {gone}, one of {len(names)} that {index} lists")
        shards[folder / part / name] = _header(folder, f"{part}/{name}")
        tensors += len(shards[folder / part / name])
        if tensors > TENSOR_LIMIT:
            raise damaged(folder, f"{part} holds more than {TENSOR_LIMIT:,} tensors, which no model has")
    for tensor, name in placed.items():
        if tensor not in shards[folder / part / name]:
            raise damaged(folder, f"{part}/{name} does not hold {tensor}, which {index} places in it")
    return shards


def _weight_map(folder: Path, relative: str) -> dict[str, str]:
    placed = read_json(folder / relative, limit=_INDEX_BYTES).get("weight_map")
    if not isinstance(placed, dict) or not placed or not all(isinstance(name, str) for name in placed.values()):
        raise damaged(folder, f"{relative} lists no shards")
    return placed


def _header(folder: Path, relative: str) -> dict[str, TensorEntry]:
    try:
        return read_header(folder / relative)
    except DamagedHeader as error:
        raise damaged(folder, f"{relative}: {error}") from error
    except OSError as error:
        raise damaged(folder, f"{relative}: {error.strerror or error}") from error


def _summed(variant: str | None, shards: dict[Path, dict[str, TensorEntry]]) -> PartWeights:
    entries = [entry for header in shards.values() for entry in header.values()]
    held: Counter[str] = Counter()
    for entry in entries:
        held[entry.dtype] += entry.parameters
    return PartWeights(
        variant=variant,
        files=tuple(shards),
        bytes=sum(entry.bytes for entry in entries),
        parameters=sum(held.values()),
        dtype=held.most_common(1)[0][0] if held else "",
    )


def _checked_types(folder: Path, part: str, weights: PartWeights) -> PartWeights:
    if weights.dtype in FLOATS:
        return weights
    raise SetupError(
        "model.unsupported",
        what="This version cannot use weights of this type.",
        why=f"{weights.files[0]} holds {weights.dtype or 'no'} tensors; it works with {', '.join(FLOATS)}.",
        fix="Get the model in half or single precision, not quantised.",
    )


def _no_weights(folder: Path, part: str, names: list[str]) -> SetupError:
    """Why none of these files can be loaded."""
    for path in sorted((folder / part).iterdir()):
        if path.is_symlink() and not path.exists() and (_SINGLE.fullmatch(path.name) or _INDEX.fullmatch(path.name)):
            return incomplete(folder, f"{part}/{path.name} {absence(path)}")
    pickles = [name for name in names if name.endswith(PICKLES)]
    if pickles:
        return SetupError(
            "model.pickled",
            what="The model's weights are stored in a format that can run code when it is opened.",
            why=f"{part}/{pickles[0]} is a Python pickle, and there is no .safetensors file beside it.",
            fix='Get the model in safetensors, or convert it: docs/models.md, "Pickles", says how.',
        )
    others = [name for name in names if name.endswith(".safetensors")]
    expected = " or ".join(f"{stem}.safetensors" for stem in STEMS)
    if others:
        return incomplete(folder, f"{part} holds {others[0]}, but no {expected}")
    return incomplete(folder, f"{part} holds no weights (*.safetensors)")


def read_json(path: Path, *, limit: int = FILE_LIMIT, largest: int = LARGEST_INTEGER) -> dict[str, Any]:
    """Read a JSON object from a file of the model, inside the bounds of bounded_json.

    Infinity and NaN are not refused here; the caller checks them.

    path: Path of the file.
    limit: int, bytes, most that the file may have.
    largest: int, largest integer that it may hold.
    Raises SetupError model.damaged.
    """
    try:
        values = read_json_file(path, limit=limit, largest=largest, infinite=True)
    except (OSError, ValueError) as error:
        raise damaged(path.parent, f"{path.name}: {error}") from error
    if not isinstance(values, dict):
        raise damaged(path.parent, f"{path.name} holds no JSON object")
    return values


def damaged(path: Path, reason: str) -> SetupError:
    """Build the error for a model that is there and cannot be read.

    path: Path of the file or folder.
    reason: str, for people.
    """
    return SetupError(
        "model.damaged",
        what="The model is damaged.",
        why=f"In {path}: {reason}",
        fix="Copy or download the model again; for the built-in one, get DreamFusion again.",
    )


def incomplete(path: Path, reason: str) -> SetupError:
    """Build the error for a model that lacks a piece.

    path: Path of the folder.
    reason: str, for people.
    """
    return SetupError(
        "model.incomplete",
        what="The model is not complete.",
        why=f"In {path}: {reason}.",
        fix="Copy or download the model again, with all its files.",
    )
