"""Questions with one right answer among captions that differ in a word: which kind, colour, view, colour of a part.

Random captions of a batch differ in so much that telling them apart teaches little; these are what the judge is later
asked (`judge.evaluate`, `benchmarks/quality.py`). Axis letters: B pictures, C captions, Q questions, K answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dreamfusion_engine.models.views import VIEWS
from training.starter.captions import VIEW_WORDS, describe, spoken_name
from training.starter.corpus import Label
from training.starter.objects.kinds import KINDS, Appearance, Kind
from training.starter.objects.palette import COLOURS

FOREIGN = ("green", "purple", "pink")  # no kind's part has one of these by nature
_NO_ANSWER = -1
_IMPOSSIBLE = -1e4  # similarity of an answer that is not there


def colour_captions(kind: Kind, part: str | None = None) -> list[str]:
    """Return 'a red mug', 'a blue mug', ...: the colours that the kind takes, in its order.

    kind: Kind.
    part: str, the second colour, where the picture's caption names one. "A green truck" would not be wrong of a red
        truck with a green box, which is mostly green; "a green truck with a green box" is.
    """
    return [describe(kind, Appearance(colour=colour, part=part)) for colour in kind.colours]


def part_captions(kind: Kind, colour: str | None, part: str | None) -> list[str]:
    """Return what can be said of an object and of its part, the truth first, all different.

    With a part of its own colour: the part in every other colour, both colours swapped, the part left out, and its
    colour spread over the whole. Without: the part in colours that it never has by nature.

    kind: Kind, with a part.
    colour: str, of the object; None: its natural one.
    part: str, the part's own colour; None: it has none.
    """

    def said(of_whole: str | None, of_part: str | None) -> str:
        return describe(kind, Appearance(colour=of_whole, part=of_part))

    if part is None:
        return [said(colour, None), *(said(colour, other) for other in FOREIGN if other != colour)]
    captions = [said(colour, part), *(said(colour, other) for other in COLOURS if other != part), said(colour, None)]
    if part in kind.colours:
        captions.append(said(part, None))
        captions += [said(part, colour)] if colour else []
    return captions


def view_captions(kind: Kind) -> list[str]:
    """Return 'a mug, front view', ...: in the order of VIEWS."""
    return [f"{describe(kind, Appearance())}, {VIEW_WORDS[view]}" for view in VIEWS]


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Questions about the pictures of a batch.

    captions: C texts.
    picture: int64[Q], picture that is asked about.
    answers: int64[Q, K], places in `captions`; -1 where a question has fewer than K.
    right: int64[Q], the right one's place among the K.
    """

    captions: list[str]
    picture: Tensor
    answers: Tensor
    right: Tensor


def choices(rng: np.random.Generator, labels: Sequence[Label], *, parts: bool = False) -> Choices:
    """Draw questions about pictures.

    They ask for the kind of each; the colour of two in three, where a caption could give it; the view of two in three,
    where the kind has a front. A kind goes by one of its names, the same for all pictures of the batch.

    rng: source of the random numbers.
    labels: describe the pictures.
    parts: bool, whether the colour of a part is asked too.
    """
    places: dict[str, int] = {}

    def place(caption: str) -> int:
        return places.setdefault(caption, len(places))

    kinds = [place(describe(kind, Appearance(), name=spoken_name(rng, kind))) for kind in KINDS]
    asked: list[tuple[int, list[int], int]] = []
    for i, label in enumerate(labels):
        kind, colour = label.kind, label.appearance.colour
        asked.append((i, kinds, KINDS.index(kind)))
        if i % 3 != 1 and colour and label.shading != "textureless":
            answers = [place(c) for c in colour_captions(kind, label.appearance.part)]
            asked.append((i, answers, kind.colours.index(colour)))
        if parts and kind.part and label.shading != "textureless":
            asked.append((i, [place(c) for c in part_captions(kind, colour, label.appearance.part)], 0))
        if i % 3 != 2 and kind.front:
            asked.append((i, [place(c) for c in view_captions(kind)], VIEWS.index(label.view)))
    widest = max(len(answers) for _, answers, _ in asked)
    return Choices(
        captions=list(places),
        picture=torch.tensor([i for i, _, _ in asked]),
        answers=torch.tensor([answers + [_NO_ANSWER] * (widest - len(answers)) for _, answers, _ in asked]),
        right=torch.tensor([right for _, _, right in asked]),
    )


def choice_loss(similarity: Tensor, asked: Choices) -> Tensor:
    """Return the cross entropy of the right answers, a scalar.

    similarity: float32[B, C] of the pictures and `asked.captions`, scaled as the softmax wants it.
    asked: Choices.
    """
    device = similarity.device
    answers = asked.answers.to(device)
    offered = similarity[asked.picture.to(device)[:, None], answers.clamp_min(0)]
    offered = offered.masked_fill(answers == _NO_ANSWER, _IMPOSSIBLE)
    return torch.nn.functional.cross_entropy(offered, asked.right.to(device))
