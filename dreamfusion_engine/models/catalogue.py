"""The catalogue: models that `models` and the add-on suggest, read from one data file.

No id stands in code. Famous checkpoints have been withdrawn before, and may be again. Then the file changes, or is
ignored, because any folder and any hub id of a supported family can be given by name.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dreamfusion_engine.models.sizes import ModelSizes

Access = Literal["open", "gated", "withdrawn"]
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


@functools.cache
def catalogue() -> tuple[KnownModel, ...]:
    """Return every line, in the order of the file.

    Raises ValueError, KeyError or TypeError for a broken file.
    """
    values = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    if values["format"] != FORMAT:
        raise ValueError(f"format {values['format']!r}; this version reads format {FORMAT}")
    return tuple(KnownModel(**{**line, "sizes": ModelSizes(**line["sizes"])}) for line in values["models"])


def known_model(name: str) -> KnownModel | None:
    """Return the catalogue's line for a hub id, in any case of letters; None without one."""
    return next((model for model in catalogue() if model.id.lower() == name.lower()), None)
