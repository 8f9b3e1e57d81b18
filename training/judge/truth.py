"""Numbers for what captions state and what pictures show, to know which caption is true of which picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dreamfusion_engine.models.views import VIEWS
from training.starter.captions import SHADING_WORDS, VIEW_WORDS, describe, spoken_name
from training.starter.corpus import Label
from training.starter.objects.kinds import KINDS, PATTERNS, Appearance
from training.starter.objects.palette import COLOURS

_COLOURS, _PATTERNS = list(COLOURS), list(PATTERNS)
_UNSTATED = -1
_NOTHING = 98  # the picture shows none: a natural colour, no pattern
_UNSEEN = 99  # the picture cannot show it: colours of white clay


def shown(label: Label) -> list[int]:
    """Return what the picture shows: kind, colour, part's colour, pattern, pattern's colour, view, clay."""
    appearance, clay = label.appearance, label.shading == "textureless"

    def colour(name: str | None) -> int:
        return _UNSEEN if clay else _COLOURS.index(name) if name else _NOTHING

    pattern = _UNSEEN if clay else _PATTERNS.index(appearance.pattern) if appearance.pattern else _NOTHING
    return [
        KINDS.index(label.kind),
        colour(appearance.colour),
        colour(appearance.part),
        pattern,
        colour(appearance.pattern_colour),
        VIEWS.index(label.view),
        int(clay),
    ]


def statement(rng: np.random.Generator, label: Label) -> tuple[str, list[int]]:
    """Return a caption that is true of the picture, and what it states; it leaves things out at times.

    rng: source of the random numbers.
    label: Label of the picture.
    """
    kind, appearance, clay = label.kind, label.appearance, label.shading == "textureless"
    colour = appearance.colour if not clay and rng.random() < 0.85 else None
    part = appearance.part if not clay and rng.random() < 0.7 else None
    pattern = appearance.pattern if colour and rng.random() < 0.7 else None
    pattern_colour = appearance.pattern_colour if pattern else None
    view = label.view if rng.random() < 0.35 else None
    said_clay = clay and rng.random() < 0.3
    name = spoken_name(rng, kind)
    text = describe(
        kind, Appearance(colour=colour, part=part, pattern=pattern, pattern_colour=pattern_colour), name=name
    )
    text += f", {VIEW_WORDS[view]}" if view else ""
    text += f", {SHADING_WORDS['textureless']}" if said_clay else ""
    return text, [
        KINDS.index(kind),
        _COLOURS.index(colour) if colour else _UNSTATED,
        _COLOURS.index(part) if part else _UNSTATED,
        _PATTERNS.index(pattern) if pattern else _UNSTATED,
        _COLOURS.index(pattern_colour) if pattern_colour else _UNSTATED,
        VIEWS.index(view) if view else _UNSTATED,
        1 if said_clay else _UNSTATED,
    ]


def truth(pictures: Sequence[list[int]], captions: Sequence[list[int]]) -> Tensor:
    """Return which caption is true of which picture, bool[N, C]. A caption is true if all that it states is shown.

    pictures: N lists, from `shown`.
    captions: C lists, from `statement`.
    """
    seen = torch.tensor(pictures)[:, None]
    said = torch.tensor(captions)[None]
    return ((said == _UNSTATED) | (said == seen)).all(-1)
