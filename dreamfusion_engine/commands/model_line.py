"""One model of the list: what is said of it, and whether it fits the machine."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any, Literal

from dreamfusion_engine.config.presets import recipe_differences, recipe_scores
from dreamfusion_engine.config.recipes import RECIPES, STARTER_RECIPE
from dreamfusion_engine.models.adapters.files import LORA_FAMILIES, WORD_FAMILIES
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.family import FAMILIES

Fit = Literal["fits", "tight", "too large", "unknown"]
State = Literal["built in", "downloaded", "given", "broken", "open", "gated", "withdrawn"]
TIGHT_ABOVE = 0.85  # share of the free memory from which a run may fail because another program takes a little more


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a model must fit into.

    device_type: kind of a run's places, such as 'cpu', 'cuda' or 'mps+cpu'.
    free_bytes: int, bytes that a run could take where the teacher is; 0: unknown.
    """

    device_type: str
    free_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class ModelLine:
    """One model of the list.

    name: str, what --model takes.
    title: str, name for people.
    family: str, pipeline class.
    state: on this machine ("given": a folder or file that was asked about by its path), or at the hub.
    size_mb: int, megabytes (1e6) on disk or to download.
    memory_mib: int, MiB, peak of a run in the standard preset; 0: unknown.
    fit: that against the machine's free memory.
    license: str, as the hub names it.
    note: str, what sets it apart.
    page: str, where its licence is read and accepted.
    instead: str, id of a copy of a withdrawn model.
    trouble: why a broken one is broken (code, what, why, fix).
    recipe: str, its name; '' for a broken model of unknown family.
    card: PromptCard of a model that is here; else None.
    estimates: from `estimates_of`.
    pose: str, the poses that it is known to have been taught; '' where it is told none, or nobody knows.
    methods: from `methods_of`, what it can make objects with besides a field.
    """

    name: str
    title: str
    family: str
    state: State
    size_mb: int
    memory_mib: int = 0
    fit: Fit = "unknown"
    license: str = ""
    note: str = ""
    page: str = ""
    instead: str = ""
    trouble: dict[str, str] = field(default_factory=dict)
    recipe: str = ""
    card: PromptCard | None = None
    estimates: dict[str, dict[str, Any]] = field(default_factory=dict)
    pose: str = ""
    methods: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether a run can be started with it now."""
        return self.state in ("built in", "downloaded", "given")

    def to_json(self) -> dict[str, Any]:
        """Return the line as the protocol and `models --json` have it; for a model that is here, with what it knows."""
        line = {
            "name": self.name,
            "title": self.title,
            "family": self.family,
            "state": self.state,
            "size_mb": self.size_mb,
            "memory_mib": self.memory_mib,
            "fit": self.fit,
            "license": self.license,
            "note": self.note,
            "page": self.page,
            "instead": self.instead,
            "trouble": self.trouble,
            "recipe": recipe_json(self.recipe) if self.recipe else {},
            "estimates": self.estimates,
            "adapters": adapters_of(self),
            "told": told_of(self.family),
            "pose": self.pose,
            "methods": self.methods,
        }
        card = self.card
        if card is None:
            return line
        return line | {
            "closed_vocabulary": card.closed_vocabulary,
            "kinds": list(card.kinds),
            "colours": list(card.colours),
            "parts": list(card.parts),
            "examples": list(card.examples),
            "picture": card.picture,
        }


def fit_of(memory_mib: int, machine: Machine) -> Fit:
    """Return whether so much memory is free, with some to spare.

    memory_mib: int, MiB, peak of a run.
    machine: Machine.
    """
    if memory_mib <= 0 or machine.free_bytes <= 0:
        return "unknown"
    share = memory_mib * (1 << 20) / machine.free_bytes
    return "too large" if share > 1.0 else "tight" if share > TIGHT_ABOVE else "fits"


@functools.cache
def recipe_json(name: str) -> dict[str, Any]:
    """Return a recipe as the protocol has it: its name, whether it is experimental, what it changes of each preset.

    Its 'scores' are what it changes further with a `guidance.score`, in every preset.
    """
    recipe = RECIPES[name]
    return {
        "name": recipe.title,
        "experimental": recipe.experimental,
        "settings": recipe_differences(name),
        "scores": recipe_scores(name),
    }


def adapters_of(line: ModelLine) -> list[str]:
    """Return what the model takes beside its own weights: "lora", "embeddings", both or nothing."""
    if line.recipe == STARTER_RECIPE:
        return []
    families = {"lora": LORA_FAMILIES, "embeddings": WORD_FAMILIES}
    return [adapter for adapter, takers in families.items() if line.family in takers]


def told_of(family: str) -> list[str]:
    """Return what models of a family are told: some of "words", "picture" and "poses"; nothing of an unknown family.

    family: str, pipeline class.
    """
    known = FAMILIES.get(family)
    if known is None:
        return []
    told = {"words": known.reads_words, "picture": known.told_picture, "poses": known.told_poses}
    return [what for what, is_told in told.items() if is_told]
