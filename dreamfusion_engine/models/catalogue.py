"""Models worth knowing: the suggestions of `models` and of the add-on, read from one data file.

No id stands in code. Famous checkpoints have been withdrawn before, and may be again: then the file changes, or is
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

    id: owner/name at the hub. family: pipeline class. access: 'gated' asks for an account that accepted the licence;
    'withdrawn' is gone, `instead` is a copy. license: as the hub names it. download_mb: megabytes (1e6) of what the
    engine downloads. sizes: what decides its memory. note: what sets it apart. architecture: of the single files whose
    configs this model has, '' for none; 'sd2-v' for those of 'sd2' that predict v. checked: when and how the line was
    confirmed, and what of it was not.
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
    """Every line, in the order of the file. Raises ValueError, KeyError or TypeError for a broken file."""
    values = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    if values["format"] != FORMAT:
        raise ValueError(f"format {values['format']!r}; this version reads format {FORMAT}")
    return tuple(KnownModel(**{**line, "sizes": ModelSizes(**line["sizes"])}) for line in values["models"])


def known_model(name: str) -> KnownModel | None:
    """What the catalogue says of a hub id, in any case of letters; None where it says nothing."""
    return next((model for model in catalogue() if model.id.lower() == name.lower()), None)
