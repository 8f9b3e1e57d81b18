"""Hub models by their id: found among the downloads, or fetched, with what the catalogue knows of them."""

from __future__ import annotations

from pathlib import Path

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.events import Control, Report
from dreamfusion_engine.hub.address import HubAddress, cache_folder
from dreamfusion_engine.hub.download import Downloaded, download
from dreamfusion_engine.hub.repository_cache import RepositoryCache
from dreamfusion_engine.models.catalogue import KnownModel, known_model

COMMAND = "dreamfusion-engine download"


def downloaded_folder(name: str) -> Path:
    """Return the folder of a hub model on this machine. The network is never asked.

    Raises SetupError model.not_downloaded, which says how large the model is and what its licence asks.
    Raises SetupError model.incomplete.
    """
    cache = RepositoryCache(cache_folder(), name)
    folder = cache.snapshot()
    if folder is not None:
        return folder
    if cache.unfinished():
        raise SetupError(
            "model.incomplete",
            what=f"The download of the model '{name}' was not finished.",
            why=f"{cache.folder} holds a part of it.",
            fix=f"To get the rest, run: {COMMAND} {name}",
        )
    known = known_model(name)
    raise SetupError(
        "model.not_downloaded",
        what=f"The model '{name}' is not on this machine.",
        why=f"It is neither a folder nor among the downloads in {cache.folder.parent}." + _about(known),
        fix=_instead(known) or f"To download it, run: {COMMAND} {name}",
    )


def download_model(
    name: str,
    address: HubAddress,
    *,
    revision: str = "main",
    weights: bool = True,
    report: Report = lambda event: None,
    control: Control = lambda: "continue",
) -> Downloaded:
    """Download a model with `hub.download.download`; the error for a withdrawn model names the remaining copy.

    name, address, revision, weights, report, control: as for `hub.download.download`.
    """
    try:
        return download(name, address, revision=revision, weights=weights, report=report, control=control)
    except SetupError as error:
        instead = _instead(known_model(name))
        if error.code != "model.not_found" or not instead:
            raise
        raise SetupError(error.code, what=error.what, why="It was withdrawn from the hub.", fix=instead) from error


def _about(known: KnownModel | None) -> str:
    if known is None:
        return ""
    if known.access == "withdrawn":
        return " It was withdrawn from the hub."
    text = f" It is {known.download_mb / 1000:.1f} GB to download, under the licence {known.license}"
    if known.access == "gated":
        return f"{text}, which its page asks you to accept first (see docs/models.md)."
    return text + "."


def _instead(known: KnownModel | None) -> str:
    if known is None or known.access != "withdrawn":
        return ""
    return f"Take the copy of it instead: {COMMAND} {known.instead}"
