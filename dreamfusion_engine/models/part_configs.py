"""Check the small files of a pipeline folder before anything is loaded: sizes, vocabularies, steps.

Without this check, a senseless config would be found in the middle of a run, in a library's own words. A config that
names code for the library, or asks it to build too much, would be obeyed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.inputs.given_path import absence
from dreamfusion_engine.models.family import Family
from dreamfusion_engine.models.multi_view import read_denoiser_config
from dreamfusion_engine.models.part_weights import damaged, incomplete, read_json

VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "*.model", "*.tiktoken")
SMALLEST_PICTURE, LARGEST_PICTURE = 16, 4096  # pixels of a side; no model of these families was trained on others
_STEPS = (2, 10_000)  # of a noise schedule; all published ones have 1,000
_READ_OF_SCHEDULER = {"beta_start", "beta_end", "trained_betas", "shift", "base_shift", "max_shift"}
_READ_OF_SCHEDULER |= {"base_image_seq_len", "max_image_seq_len"}  # others may be infinite, as lambda_min_clipped is
_LAYERS = 1000  # of a network; the deepest of these families have 60
_ENTRIES = 1000  # of a list in a config
_LARGEST = 10_000_000  # number in a config; the largest is that of a vocabulary
# Settings that lead transformers to code or to weights of the config's own choice, some of them to the network.
_CODE = re.compile(
    r".*_implementation(_internal)?|auto_map|custom_pipelines?|.*_kernels?_config|kernel_config|use_kernels"
)
_OTHERS = ("quantization_config", "transformers_weights", "fusion_config")
_TOKENIZER_BYTES = 4 << 20  # of a tokenizer's config, which may list all its added words
NO_LIMIT = 10**31  # transformers writes 1e30 for a tokenizer that takes texts of any length
_HARMLESS = (None, False, "eager", "sdpa")
_TOKENIZER_CLASS = re.compile(r"[A-Za-z]\w{0,80}")


def check_configs(folder: Path, family: Family, parts: frozenset[str]) -> None:
    """Raise SetupError unless the small files of the parts that are there make sense.

    folder: Path of the model.
    family: Family of the model.
    parts: names of the parts that are there.
    Raises SetupError model.incomplete: a tokenizer without a vocabulary, no scheduler config.
    Raises SetupError model.damaged: numbers that cannot be.
    Raises SetupError model.unsupported: pictures that are not square, or of a size that no such model has.
    """
    for part in (part for part in family.tokenizers if part in parts):
        check_vocabulary_of(folder, part)
    scheduler = folder / "scheduler" / "scheduler_config.json"
    if not scheduler.is_file():
        raise incomplete(folder, f"scheduler/scheduler_config.json {absence(scheduler)}")
    steps = read_json(scheduler).get("num_train_timesteps", 1000)
    if not _is_count(steps) or not _STEPS[0] <= steps <= _STEPS[1]:
        raise damaged(folder, f"scheduler/scheduler_config.json gives {str(steps)[:60]} training timesteps")
    for name, value in read_json(scheduler).items():
        if name in _READ_OF_SCHEDULER and not _is_finite(value):
            raise damaged(folder, f"scheduler/scheduler_config.json gives {name} as {str(value)[:60]}")
    for part in (part for part in family.weights if part in parts):
        check_network(folder, part)
    for part in (part for part in family.tokenizers if part in parts):
        check_tokenizer(folder, part)
    scale = _vae_scale(folder) if family.vae else 1
    config = read_denoiser_config(folder / family.denoiser / "config.json")
    size = config.get("sample_size")
    if size is None:  # a Flux's config does not say; others are refused by what they denoise
        return
    if not _is_count(size) or size < 1:
        raise _wrong_size(
            family, f"{family.denoiser}/config.json gives the size {str(size)[:60]!r}, which is no square picture"
        )
    if not SMALLEST_PICTURE <= size * scale <= LARGEST_PICTURE:
        raise _wrong_size(family, f"{family.denoiser}/config.json gives pictures of {size * scale:,} pixels a side")


def check_network(folder: Path, part: str) -> None:
    """Refuse a config that names code, and a config of a network that could not be built.

    folder: Path of the model.
    part: str, a part of it; '.' for a folder that is a network itself.
    Raises SetupError model.unsupported, model.damaged.
    """
    if (folder / part / "adapter_config.json").is_file():  # transformers would load the model that it names
        raise _names_code(f"{part}/adapter_config.json names another model", "Give the model that it was made for.")
    for name, value in _settings(read_json(folder / part / "config.json")):
        where = f"{part}/config.json"
        if (_CODE.fullmatch(name) or name in _OTHERS) and value not in _HARMLESS:
            fix = f"Get the model as it was published, or remove {name} from that file if you know that it can go."
            raise _names_code(f"{where} gives {name} as {str(value)[:60]!r}", fix)
        if isinstance(value, list) and len(value) > _ENTRIES:
            raise damaged(folder, f"{where} lists {len(value):,} of {name}")
        most = _LAYERS if "layers" in name else _LARGEST
        for number in value if isinstance(value, list) else [value]:
            if not _is_finite(number) or (isinstance(number, int) and abs(number) > most):
                raise damaged(folder, f"{where} gives {name} as {number:,}, which no model has")


def _settings(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting of a config, those of configs and lists inside it too, by its own name."""
    if name:
        yield name, value
    for key, item in value.items() if isinstance(value, dict) else ():
        yield from _settings(item, str(key))
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict | list):
            yield from _settings(item, name)


def check_vocabulary_of(folder: Path, part: str) -> None:
    """Refuse a tokenizer without a vocabulary.

    folder: Path of the model.
    part: str, a part of it; '.' for a folder that holds the tokenizer itself.
    Raises SetupError model.incomplete.
    """
    if not any(next((folder / part).glob(name), None) for name in VOCABULARIES):
        raise incomplete(folder, f"{'it' if part == '.' else part} holds no vocabulary")


def check_tokenizer(folder: Path, part: str) -> None:
    """Refuse a tokenizer that names code, or a class that is none.

    folder: Path of the model.
    part: str, as for `check_vocabulary_of`.
    Raises SetupError model.unsupported, model.damaged.
    """
    path = folder / part / "tokenizer_config.json"
    if not path.is_file():
        return
    named = read_json(path, limit=_TOKENIZER_BYTES, largest=NO_LIMIT)
    if "auto_map" in named:
        raise _names_code(f"{part}/tokenizer_config.json names code of its own (auto_map)", "Get the model without it.")
    tokenizer = named.get("tokenizer_class")
    if tokenizer is not None and not (isinstance(tokenizer, str) and _TOKENIZER_CLASS.fullmatch(tokenizer)):
        raise damaged(folder, f"{part}/tokenizer_config.json gives the class {str(tokenizer)[:60]!r}, which is none")


def _names_code(why: str, fix: str) -> SetupError:
    return SetupError(
        "model.unsupported",
        what="The model asks for code that it does not come with.",
        why=f"{why}; only the networks that the installed libraries have are used.",
        fix=fix,
    )


def _vae_scale(folder: Path) -> int:
    """Pixels a side of one latent."""
    blocks = read_json(folder / "vae" / "config.json").get("block_out_channels")
    if not isinstance(blocks, list) or not blocks or not all(_is_count(block) and block > 0 for block in blocks):
        raise damaged(folder, f"vae/config.json gives the blocks {str(blocks)[:60]}")
    return int(2 ** (len(blocks) - 1))


def _is_finite(value: Any) -> bool:
    """Whether a setting holds no number that is infinite or none, and no more of them than a schedule has steps."""
    if isinstance(value, list):
        return len(value) <= _STEPS[1] and all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong_size(family: Family, why: str) -> SetupError:
    return SetupError(
        "model.unsupported",
        what=f"This version cannot use a model of this resolution as {family.title}.",
        why=f"{why}; square ones of {SMALLEST_PICTURE} to {LARGEST_PICTURE:,} pixels a side can be used.",
        fix="Give the model as it was published, or correct the size in that file.",
    )
