"""The catalogue: models that `models` and the add-on suggest, read from one data file.

No id stands in code. Famous checkpoints have been withdrawn before, and may be again. Then the file changes, or is
ignored, because any folder and any hub id of a supported family can be given by name.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dreamfusion_engine.models.sizes import ModelSizes

Access = Literal["open", "gated", "withdrawn"]
Sale = Literal["yes", "conditions", "no"]
CATALOGUE = Path(__file__).with_name("catalogue.json")
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class KnownModel:
    """One line of the catalogue.

    id: str, owner/name at the hub.
    title: str, name for people.
    family: str, pipeline class.
    access: 'gated' asks for an account that accepted the licence; 'withdrawn' is gone.
    license: str, as the hub names it.
    download_mb: int, megabytes (1e6) that the engine downloads.
    sizes: ModelSizes, which decide its memory.
    note: str, what sets it apart.
    checked: str, when and how the line was confirmed, and what of it was not.
    instead: str, id of a copy of a withdrawn model.
    architecture: str, of the single files whose configs this model has, '' for none; 'sd2-v' for those of 'sd2' that
        predict v.
    pose: str, the poses that a model was taught which is told a picture, as `reference.pose` has them; '' for others.
    """

    id: str
    title: str
    family: str
    access: Access
    license: str
    download_mb: int
    sizes: ModelSizes
    note: str
    checked: str
    instead: str = ""
    architecture: str = ""
    pose: str = ""


@dataclass(frozen=True, kw_only=True)
class KnownLicence:
    """What a licence says of selling what a model made.

    title: str, name for people.
    sell: Sale, whether it may be sold.
    says: str, the condition or the reason, which goes on after a colon; '' where there is none.
    checked: str, when and how the line was confirmed.
    """

    title: str
    sell: Sale
    says: str
    checked: str


@functools.cache
def licences() -> dict[str, KnownLicence]:
    """Return what is known of licences, by the name in a model's line.

    Raises as `catalogue`.
    """
    return {name: KnownLicence(**line) for name, line in _values()["licences"].items()}


@functools.cache
def catalogue() -> tuple[KnownModel, ...]:
    """Return every line, in the order of the file.

    Raises ValueError, KeyError or TypeError for a broken file.
    """
    return tuple(KnownModel(**{**line, "sizes": ModelSizes(**line["sizes"])}) for line in _values()["models"])


def known_model(name: str) -> KnownModel | None:
    """Return the catalogue's line for a hub id, in any case of letters; None without one."""
    return next((model for model in catalogue() if model.id.lower() == name.lower()), None)


def _values() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    if values["format"] != FORMAT:
        raise ValueError(f"format {values['format']!r}; this version reads format {FORMAT}")
    return values
