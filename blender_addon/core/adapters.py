"""The adapters of a recipe: LoRAs with their weights and files of learned words, as the engine's settings have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STAGE = "adapters"  # of the engine's settings
HEAVIEST = 10.0  # weight of a LoRA either way, as the engine has it
MOST = 64  # of each kind that are read from a recipe, which comes from outside
_LONGEST = 4096  # characters of a path


@dataclass(frozen=True)
class Adapters:
    """Files, in the order in which they were added. lora: with weights; 1: as trained."""

    lora: tuple[tuple[str, float], ...] = ()
    embeddings: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """All of them."""
        return (*(file for file, _ in self.lora), *self.embeddings)

    def to_json(self) -> dict[str, Any]:
        """As `generate` takes the stage; empty where there are none."""
        values = {"lora": [list(pair) for pair in self.lora], "embeddings": list(self.embeddings)}
        return {name: value for name, value in values.items() if value}


def of_settings(settings: Mapping[str, Any]) -> Adapters:
    """Those of a recipe's settings, nested by stage. What is none, or out of range, is left out."""
    stage = settings.get(STAGE)
    group: Mapping[str, Any] = stage if isinstance(stage, dict) else {}
    pairs = [pair for pair in _listed(group, "lora") if isinstance(pair, list | tuple) and len(pair) == 2]
    return Adapters(
        lora=tuple((file, float(weight)) for file, weight in pairs if _is_file(file) and _is_weight(weight)),
        embeddings=tuple(file for file in _listed(group, "embeddings") if _is_file(file)),
    )


def short_name(file: str) -> str:
    """A file's name without folder and ending, whichever system its path is of."""
    name = re.split(r"[\\/]", file)[-1]
    return name.removesuffix(".safetensors") or name


def _listed(group: Mapping[str, Any], name: str) -> list[Any]:
    found = group.get(name)
    return list(found)[:MOST] if isinstance(found, list | tuple) else []


def _is_file(file: Any) -> bool:
    return isinstance(file, str) and bool(file.strip()) and len(file) <= _LONGEST


def _is_weight(weight: Any) -> bool:
    return isinstance(weight, int | float) and not isinstance(weight, bool) and abs(weight) <= HEAVIEST
