"""The adapters of a recipe: LoRAs with their weights and files of learned words, as the engine's settings have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .declared_settings import ENGINE

STAGE = "adapters"  # of the engine's settings
HEAVIEST = ENGINE.limits.get("lora_weight", 1.0)  # weight of a LoRA either way
MOST = 64  # of each kind that are read from a recipe, which comes from outside
_LONGEST = 4096  # characters of a path


@dataclass(frozen=True)
class Adapters:
    """LoRAs and files of learned words, in the order in which they were added.

    lora: pairs of a file and its weight; weight 1 applies the LoRA as it was trained.
    embeddings: files of learned words.
    """

    lora: tuple[tuple[str, float], ...] = ()
    embeddings: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The files of both kinds, LoRAs first."""
        return (*(file for file, _ in self.lora), *self.embeddings)

    def to_json(self) -> dict[str, Any]:
        """The stage as `generate` takes it. A kind without files is left out."""
        values = {"lora": [list(pair) for pair in self.lora], "embeddings": list(self.embeddings)}
        return {name: value for name, value in values.items() if value}


def of_settings(settings: Mapping[str, Any]) -> Adapters:
    """The adapters in a recipe's settings. Entries of the wrong kind or out of range are left out.

    settings: nested by stage.
    """
    stage = settings.get(STAGE)
    group: Mapping[str, Any] = stage if isinstance(stage, dict) else {}
    pairs = [pair for pair in _listed(group, "lora") if isinstance(pair, list | tuple) and len(pair) == 2]
    return Adapters(
        lora=tuple((file, float(weight)) for file, weight in pairs if _is_file(file) and _is_weight(weight)),
        embeddings=tuple(file for file in _listed(group, "embeddings") if _is_file(file)),
    )


def short_name(file: str) -> str:
    """A file's name without its folder and ending. The path may be of Windows or of any other system."""
    name = re.split(r"[\\/]", file)[-1]
    return name.removesuffix(".safetensors") or name


def _listed(group: Mapping[str, Any], name: str) -> list[Any]:
    found = group.get(name)
    return list(found)[:MOST] if isinstance(found, list | tuple) else []


def _is_file(file: Any) -> bool:
    return isinstance(file, str) and bool(file.strip()) and len(file) <= _LONGEST


def _is_weight(weight: Any) -> bool:
    return isinstance(weight, int | float) and not isinstance(weight, bool) and abs(weight) <= HEAVIEST
