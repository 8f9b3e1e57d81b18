"""What the words of the options say: settings nested by stage, and the seeds of a contest."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from typing import Any

from dreamfusion_engine.config.seed_range import SeedRange, typed_range
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import shortened
from dreamfusion_engine.wire.assignments import BadAssignment, assigned, nested

# Settings with an option of their own, which always has a value and would win unseen.
_OWN_OPTIONS = {"seed": "--seed", "negative": "--negative", "device": "--device", "model": "--model", "base": "--base"}
# Settings that an option may give as well.
_SHORT_OPTIONS = {
    "method": "--method",
    "optimize.steps": "--steps",
    "adapters.lora": "--lora",
    "adapters.embeddings": "--embedding",
    "start.lock": "--lock",
    "paint.part": "--part",
    "paint.shape": "--shape",
    "texture.model": "--texture-model",
    "texture.base": "--texture-base",
}


def given_settings(
    assignments: Sequence[str],
    steps: int | None,
    loras: Sequence[str],
    embeddings: Sequence[str],
    lock: float | None = None,
    part: str | None = None,
    shape: bool | None = None,
    texture_model: str | None = None,
    texture_base: str | None = None,
    method: str | None = None,
    seed_option: str = "--seed",
) -> dict[str, Any]:
    """Return what --set and the options that are short for one say, nested by stage. A contradiction is an error.

    assignments: 'stage.key=value' words.
    steps: int; None where not given.
    loras: 'FILE[:WEIGHT]' words.
    embeddings: file names.
    lock: float, of --lock; None where not given.
    part: str, of --part; None where not given.
    shape: bool, whether --shape was given; None where it was not.
    texture_model, texture_base: str, of --texture-model and --texture-base; None where not given.
    method: str, of --method; None where not given.
    seed_option: str, by which the command takes seeds.
    Raises InputError input.set for a --set of what another option gives.
    """
    settings = parse_settings(assignments)
    said = {"optimize.steps": steps, "start.lock": lock, "paint.part": part, "paint.shape": shape}
    said |= {"texture.model": texture_model, "texture.base": texture_base, "method": method}
    more = {name: value for name, value in said.items() if value is not None}
    more |= adapter_settings(loras, embeddings)
    for name, option in (_OWN_OPTIONS | {"seed": seed_option}).items():
        if name in settings:
            raise InputError(
                "input.set",
                what=f"'{name}' cannot be given with --set.",
                why=f"It has an option of its own, {option}, which would win over the --set.",
                fix=f"Use {option} VALUE.",
            )
    for name, option in _SHORT_OPTIONS.items():
        stage, _, key = name.rpartition(".")
        group = settings.get(stage) if stage else settings
        if name in more and isinstance(group, dict) and key in group:
            raise InputError(
                "input.set",
                what=f"{option} and --set {name} contradict each other.",
                why=f"Both give '{name}', and only one of them can count.",
                fix="Keep one of them.",
            )
    return _nested([*settings.items(), *more.items()])


def given_seeds(seeds: str | None, seed: int | None) -> SeedRange | None:
    """Return what --seeds says; None without it.

    seeds, seed: what --seeds and --seed gave; None where not given.
    Raises InputError input.seeds for both at once, and for what is no range.
    """
    if seeds is None:
        return None
    if seed is not None:
        raise InputError(
            "input.seeds",
            what="--seed and --seeds contradict each other.",
            why=f"--seed {seed} is one seed, and --seeds {shortened(seeds)} are those of a contest.",
            fix="Keep one of them.",
        )
    return typed_range(seeds)


def parse_settings(assignments: Sequence[str]) -> dict[str, Any]:
    """Return 'stage.key=value' words as nested settings; a value is JSON where it can be read as such, else text.

    Raises InputError input.set for a word of another form, and for a name that is a value and a group.
    """
    try:
        pairs = [assigned(word) for word in assignments]
    except BadAssignment as error:
        raise _bad(error) from None
    return _nested(pairs)


def adapter_settings(loras: Sequence[str], embeddings: Sequence[str]) -> dict[str, Any]:
    """Return what --lora FILE[:WEIGHT] and --embedding FILE say, by dotted name; nothing for what was not given.

    loras: words FILE[:WEIGHT].
    embeddings: words FILE.
    """
    said: dict[str, Any] = {}
    if loras:
        said["adapters.lora"] = [list(_lora(text)) for text in loras]
    if embeddings:
        said["adapters.embeddings"] = list(embeddings)
    return said


def _nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    try:
        return nested(pairs)
    except BadAssignment as error:
        raise _bad(error) from None


def _bad(error: BadAssignment) -> InputError:
    return InputError("input.set", what=error.what, why=error.why, fix=error.fix)


def _lora(text: str) -> tuple[str, float]:
    """File and weight. What follows the last colon is the weight, unless it is the rest of a path (C:\\...)."""
    file, colon, weight = text.rpartition(":")
    if not colon or "/" in weight or "\\" in weight or os.path.isfile(text):
        return text, 1.0
    try:
        value = float(weight)
    except ValueError:
        value = float("nan")
    if not math.isfinite(value):
        raise InputError(
            "input.lora_weight",
            what="The weight of a LoRA cannot be read.",
            why=f"{weight[:40]!r}, after the colon of {text[:200]!r}, is not a finite number.",
            fix="For example: --lora style.safetensors:0.8",
        )
    return file, value
