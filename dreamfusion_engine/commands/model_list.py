"""The models that can be chosen here, and those to download, with their sizes and whether they fit here."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dreamfusion_engine.config.presets import recipe_differences, recipe_scores
from dreamfusion_engine.config.recipes import RECIPES, STARTER_RECIPE, recipe_for
from dreamfusion_engine.errors import EngineError, SetupError
from dreamfusion_engine.hub.address import HubAddress
from dreamfusion_engine.hub.repository_cache import RepositoryCache, cached_repositories
from dreamfusion_engine.hub.selection import INDEX
from dreamfusion_engine.models.adapters.files import LORA_FAMILIES, WORD_FAMILIES
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.catalogue import KnownModel, catalogue, known_model
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.part_weights import damaged, read_json
from dreamfusion_engine.models.pipeline_folder import STARTER, locate_model, open_pipeline
from dreamfusion_engine.models.sizes import read_sizes
from dreamfusion_engine.models.told_picture import pose_of
from dreamfusion_engine.speed.model_costs import estimates_of, memory_of

Fit = Literal["fits", "tight", "too large", "unknown"]
State = Literal["built in", "downloaded", "given", "broken", "open", "gated", "withdrawn"]
TIGHT_ABOVE = 0.85  # share of the free memory from which a run may fail because another program takes a little more
LIST_S = 10.0  # of the processor's time for all downloads together; a usual one takes 0.03
CHECKED_BYTES = 64 << 20  # of a model's files that are compared with their checksums for its line; a run compares all


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


def models_here(address: HubAddress, machine: Machine) -> list[ModelLine]:
    """Return the built-in model, then the downloaded ones of a family that can teach, broken ones too.

    address: HubAddress; gives the folder of downloads.
    machine: Machine that they must fit into.
    Raises SetupError where the built-in model itself is broken.
    """
    return [_starter(machine), *_downloaded(address, machine)]


def models_to_get(address: HubAddress, machine: Machine, here: list[ModelLine]) -> list[ModelLine]:
    """Return the catalogue's models that are not here yet, withdrawn ones last.

    address: HubAddress.
    machine: Machine that they must fit into.
    here: lines of `models_here`.
    """
    have = {line.name.lower() for line in here}
    lines = [_suggestion(model, address, machine) for model in catalogue() if model.id.lower() not in have]
    return sorted(lines, key=lambda line: line.state == "withdrawn")


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


def _starter(machine: Machine) -> ModelLine:
    pipeline = open_pipeline(locate_model(STARTER))
    sizes = read_sizes(pipeline.path)
    memory = memory_of(sizes, machine.device_type, STARTER_RECIPE)
    return ModelLine(
        name=STARTER,
        title="Starter",
        family=pipeline.family,
        state="built in",
        size_mb=round(sum(part.bytes for part in pipeline.weights.values()) / 1e6),
        memory_mib=memory,
        fit=fit_of(memory, machine),
        license="GPL-3.0-or-later",
        note="Small, knows these words only, and runs on any computer.",
        recipe=STARTER_RECIPE,
        card=pipeline.card,
        estimates=estimates_of(sizes, STARTER, machine.device_type, STARTER_RECIPE),
    )


def _downloaded(address: HubAddress, machine: Machine) -> Iterator[ModelLine]:
    begun = time.thread_time()
    for repository in cached_repositories(address.cache):
        if time.thread_time() - begun > LIST_S:
            yield _unread(repository, address)
            continue
        try:
            line = _in_folder(repository, address, machine)
        except OSError as error:
            line = _broken(repository, address, damaged(address.cache, f"{repository}: {error}").to_json())
        if line is not None:
            yield line


def _in_folder(repository: str, address: HubAddress, machine: Machine) -> ModelLine | None:
    cache = RepositoryCache(address.cache, repository)
    folder = cache.snapshot()
    known = known_model(repository)
    if folder is None and known is not None and cache.unfinished():
        return _unfinished(repository, known, address, cache)
    if folder is None or not (folder / INDEX).is_file():
        return None
    return _in_cache(repository, folder, known, address, machine)


def _in_cache(
    repository: str, folder: Path, known: KnownModel | None, address: HubAddress, machine: Machine
) -> ModelLine | None:
    """The line of a complete download; None for a pipeline that is no text-to-image model of a known family."""
    trouble, card, memory, size, family, recipe, estimates = {}, None, 0, 0, "", "", {}
    try:
        family = str(read_json(folder / INDEX).get("_class_name"))
        if family not in FAMILIES:
            return None
        pipeline = open_pipeline(folder, checked_bytes=CHECKED_BYTES)
        card, family = pipeline.card, pipeline.family
        recipe = recipe_for(family, closed_vocabulary=card.closed_vocabulary, pose=pose_of(repository))
        size = round(sum(part.bytes for part in pipeline.weights.values()) / 1e6)
        sizes = read_sizes(folder, pipeline.weights)
        memory = memory_of(sizes, machine.device_type, recipe)
        estimates = estimates_of(sizes, repository, machine.device_type, recipe)
    except EngineError as error:
        trouble = error.to_json()
    except Exception as error:  # whatever a stranger's files bring about is a matter of this line, not of the list
        trouble = damaged(folder, f"{type(error).__name__}: {str(error)[:200]}").to_json()
    return ModelLine(
        name=repository,
        title=known.title if known else repository.partition("/")[2],
        family=family,
        state="broken" if trouble else "downloaded",
        size_mb=size,
        memory_mib=memory,
        fit=fit_of(memory, machine),
        license=known.license if known else "",
        note=known.note if known else "",
        page=address.page(repository),
        trouble=trouble,
        recipe=recipe,
        card=card,
        estimates=estimates,
        pose=pose_of(repository) or "",
    )


def _unread(repository: str, address: HubAddress) -> ModelLine:
    trouble = SetupError(
        "model.unread",
        what="It was not looked at.",
        why=f"Looking at the downloaded models before it took more than {LIST_S:.0f} seconds of computing.",
        fix=f"Remove models that you do not use from {address.cache}, or give this one's name as the model.",
    )
    return _broken(repository, address, trouble.to_json())


def _broken(repository: str, address: HubAddress, trouble: dict[str, str]) -> ModelLine:
    """The line of a download of which nothing but the name is known."""
    title, page = repository.partition("/")[2], address.page(repository)
    return ModelLine(name=repository, title=title, family="", state="broken", size_mb=0, page=page, trouble=trouble)


def _unfinished(repository: str, known: KnownModel, address: HubAddress, cache: RepositoryCache) -> ModelLine:
    return ModelLine(
        name=repository,
        title=known.title,
        family=known.family,
        state="broken",
        size_mb=known.download_mb,
        license=known.license,
        note=known.note,
        page=address.page(repository),
        recipe=recipe_for(known.family, closed_vocabulary=False, pose=known.pose),
        trouble={
            "code": "model.incomplete",
            "what": "Its download was not finished.",
            "why": f"{cache.folder} holds a part of it.",
            "fix": f"Run: dreamfusion-engine download {repository}",
        },
    )


def _suggestion(model: KnownModel, address: HubAddress, machine: Machine) -> ModelLine:
    recipe = recipe_for(model.family, closed_vocabulary=False, pose=model.pose)
    memory = memory_of(model.sizes, machine.device_type, recipe)
    return ModelLine(
        name=model.id,
        title=model.title,
        family=model.family,
        state=model.access,
        size_mb=model.download_mb,
        memory_mib=memory,
        fit=fit_of(memory, machine),
        license=model.license,
        note=model.note,
        page=address.page(model.id),
        instead=model.instead,
        recipe=recipe,
        estimates=estimates_of(model.sizes, model.id, machine.device_type, recipe),
        pose=model.pose,
    )
