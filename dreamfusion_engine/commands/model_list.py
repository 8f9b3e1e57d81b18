"""The models that can be chosen here, and those to download, with their sizes and whether they fit here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from dreamfusion_engine.commands.model_line import Machine, ModelLine, fit_of
from dreamfusion_engine.config.recipes import STARTER_RECIPE, recipe_for
from dreamfusion_engine.errors import EngineError, SetupError
from dreamfusion_engine.hub.address import HubAddress
from dreamfusion_engine.hub.repository_cache import RepositoryCache, cached_repositories
from dreamfusion_engine.hub.selection import INDEX
from dreamfusion_engine.models.catalogue import KnownModel, catalogue, known_model
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.part_weights import damaged, read_json
from dreamfusion_engine.models.pipeline_folder import STARTER, locate_model, open_pipeline
from dreamfusion_engine.models.sizes import read_sizes
from dreamfusion_engine.models.told_picture import pose_of
from dreamfusion_engine.speed.model_costs import estimates_of, memory_of

LIST_S = 10.0  # of the processor's time for all downloads together; a usual one takes 0.03
CHECKED_BYTES = 64 << 20  # of a model's files that are compared with their checksums for its line; a run compares all


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
