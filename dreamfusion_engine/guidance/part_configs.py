"""What the small files of a pipeline folder must say, checked before anything is loaded: sizes, vocabularies, steps.

A config that says nonsense would otherwise be found in the middle of a run, by a library's own words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.given_path import absence
from dreamfusion_engine.guidance.family import Family
from dreamfusion_engine.guidance.part_weights import damaged, incomplete, read_json

VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "*.model", "*.tiktoken")
SMALLEST_PICTURE, LARGEST_PICTURE = 16, 4096  # pixels of a side; no model of these families was trained on others
_FEWEST_STEPS = 2  # of a noise schedule


def check_configs(folder: Path, family: Family, parts: frozenset[str]) -> None:
    """Raise SetupError unless the small files of the parts that are there make sense.

    model.incomplete: a tokenizer without a vocabulary, no scheduler config. model.damaged: numbers that can be none.
    model.unsupported: pictures that are not square, or of a size that no such model has.
    """
    for part in family.tokenizers:
        if part in parts and not any(next((folder / part).glob(name), None) for name in VOCABULARIES):
            raise incomplete(folder, f"{part} holds no vocabulary")
    scheduler = folder / "scheduler" / "scheduler_config.json"
    if not scheduler.is_file():
        raise incomplete(folder, f"scheduler/scheduler_config.json {absence(scheduler)}")
    steps = read_json(scheduler).get("num_train_timesteps", 1000)
    if not _is_count(steps) or steps < _FEWEST_STEPS:
        raise damaged(folder, f"scheduler/scheduler_config.json gives {steps!r} training timesteps")
    scale = _vae_scale(folder) if family.vae else 1
    config = read_json(folder / family.denoiser / "config.json")
    size = config.get("sample_size")
    if size is None:  # a Flux's config does not say; others are refused by what they denoise
        return
    if not _is_count(size) or size < 1:
        raise _wrong_size(family, f"{family.denoiser}/config.json gives the size {size!r}, which is no square picture")
    if not SMALLEST_PICTURE <= size * scale <= LARGEST_PICTURE:
        raise _wrong_size(family, f"{family.denoiser}/config.json gives pictures of {size * scale:,} pixels a side")


def _vae_scale(folder: Path) -> int:
    """Pixels a side of one latent."""
    blocks = read_json(folder / "vae" / "config.json").get("block_out_channels")
    if not isinstance(blocks, list) or not blocks or not all(_is_count(block) and block > 0 for block in blocks):
        raise damaged(folder, f"vae/config.json gives the blocks {blocks!r}")
    return int(2 ** (len(blocks) - 1))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong_size(family: Family, why: str) -> SetupError:
    return SetupError(
        "model.unsupported",
        what=f"This version cannot use a model of this resolution as {family.title}.",
        why=f"{why}; square ones of {SMALLEST_PICTURE} to {LARGEST_PICTURE:,} pixels a side can be used.",
        fix="Give the model as it was published, or correct the size in that file.",
    )
