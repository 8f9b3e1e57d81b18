"""The file that has a model's card, read and checked: a folder may come from anybody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.inputs.given_path import absence
from dreamfusion_engine.models.card import SHADINGS, PromptCard
from dreamfusion_engine.models.views import HEADINGS, VIEWS
from dreamfusion_engine.wire.bounded_json import read_json_file

CARD_NAME = "dreamfusion.json"
CARD_FORMAT = 1
PICTURE_NAME = "kinds.png"  # beside the card: what the model knows, to look at
# What a card may list, and characters of each text: far more than an artist can read, little enough for one message.
_MOST = {
    "words": 20_000,
    "kinds": 500,
    "without_front": 500,
    "colours": 100,
    "parts": 100,
    "examples": 50,
    "azimuths": 360,
    "elevations": 181,
}
_LONGEST = 200
_SHOWN = ("kinds", "colours", "parts", "without_front", "examples")
_MOST_SHOWN = 20_000  # characters of all that is told to an artist
_MOST_FILES = 10_000


def read_card(folder: Path) -> PromptCard:
    """Read the card beside `model_index.json`; without one, return the card of an ordinary checkpoint.

    folder: Path of the model.
    Raises SetupError model.card where the file is damaged or of another format.
    """
    path = folder / CARD_NAME
    if not path.is_file() and not path.is_symlink():
        return PromptCard()
    try:
        card = _parsed_card(read_json_file(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SetupError(
            "model.card",
            what=f"The model's card {CARD_NAME} cannot be read.",
            why=f"{path}: {type(error).__name__}: {error}" if path.exists() else f"{path} {absence(path)}.",
            fix="Copy the model's folder again, complete, or update DreamFusion if the model is newer than it.",
        ) from error
    picture = folder / PICTURE_NAME
    return replace(card, picture=str(picture)) if picture.is_file() else card


def _parsed_card(values: Mapping[str, Any]) -> PromptCard:
    if values["format"] != CARD_FORMAT:
        raise ValueError(f"format {values['format']!r}; this version reads format {CARD_FORMAT}"[:200])
    views = {view: _text(values["views"][view]) for view in VIEWS}
    shading = {each: _text(values["shading"][each]) for each in SHADINGS}
    headings = {heading: _text(values["headings"][heading]) for heading in HEADINGS} if "headings" in values else {}
    azimuths = _texts(values, "azimuths")
    listed = _bounded(values.get("elevations", {}), _MOST["elevations"], "elevations").items()
    elevations = {int(degrees): _text(word) for degrees, word in listed}
    shown = {name: _texts(values, name) for name in _SHOWN}
    _bounded("".join(text for texts in shown.values() for text in texts), _MOST_SHOWN, "characters to be shown")
    if bool(azimuths) != (len(elevations) > 1):
        raise ValueError("words for exact cameras need azimuths and two elevations at least")
    return PromptCard(
        closed_vocabulary=bool(values["closed_vocabulary"]),
        words=frozenset(word.lower() for word in _texts(values, "words")),
        kinds=shown["kinds"],
        colours=shown["colours"],
        parts=shown["parts"],
        without_front=shown["without_front"],
        examples=shown["examples"],
        views=views,
        shading=shading,
        headings=headings,
        azimuths=azimuths,
        elevations=dict(sorted(elevations.items())),
        files=_files(values.get("files", {})),
    )


def _texts(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    listed = values[name] if name == "words" else values.get(name, [])
    if not isinstance(listed, list):
        raise TypeError(f"{name} is no list")
    return tuple(_text(text) for text in _bounded(listed, _MOST[name], name))


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError(f"{str(value)[:60]!r} is no text of at most {_LONGEST} characters")
    return value


def _bounded(values: Any, most: int, name: str) -> Any:
    if len(values) > most:
        raise ValueError(f"it lists {len(values):,} {name}, more than {most:,}")
    return values


def _files(values: Mapping[str, Any]) -> dict[str, str]:
    """The listed files, each below the model's folder and named in one way only."""
    for path, digest in _bounded(values, _MOST_FILES, "files").items():
        plain = PurePosixPath(path)
        if plain.is_absolute() or ".." in plain.parts or str(plain) != path or re.search(r"[\\:\x00-\x1f]", path):
            raise ValueError(f"it lists {path[:100]!r}, which is no file of the model")
        if not re.fullmatch(r"[0-9A-Fa-f]{64}", _text(digest)):
            raise ValueError(f"it gives {path[:100]!r} the checksum {digest!r}, which is none")
    return dict(values)
