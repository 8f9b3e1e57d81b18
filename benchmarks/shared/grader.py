"""What a judge says of the views of one object: R-Precision, and kind, colour and part colour apart."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.shared.prompt_list import Prompt, full_list
from dreamfusion_engine.errors import EngineError
from dreamfusion_engine.judge.folder import WEIGHTS, judge_folder
from dreamfusion_engine.judge.model import Judge, load_judge
from dreamfusion_engine.judge.scores import r_precision
from training.judge.choices import part_captions
from training.starter.captions import describe
from training.starter.objects.kinds import KINDS, Appearance

_MODEL = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class Grade:
    """Shares of an object's views, in [0, 1]; None where the prompt says nothing of it.

    colour: of those in colour, how many find the prompt among all captions (R-Precision).
    textureless: of those in white clay, how many find the kind among all kinds (R-Precision).
    kind: of those in colour, how many find the kind among all kinds.
    own_colour: of those in colour, how many find the colour among the same in every colour that the kind takes.
    part: of those in colour, how many find the part's colour among the part in every other colour, both colours
        swapped, the part left out, and its colour over the whole.
    """

    colour: float
    textureless: float
    kind: float
    own_colour: float | None
    part: float | None


class Grader:
    """A judge, and the captions that it chooses among.

    judge: Judge.
    prompts: of all objects that it will grade.
    """

    def __init__(self, judge: Judge, prompts: Sequence[Prompt]) -> None:
        self._judge = judge
        self._texts = list(dict.fromkeys([p.text for p in prompts] + [p.text for p in full_list()]))
        self._captions = judge.captions(self._texts)
        self._kinds = judge.captions([describe(kind, Appearance()) for kind in KINDS])

    def grade(self, prompt: Prompt, colour: torch.Tensor, clay: torch.Tensor) -> Grade:
        """Grade the views of an object.

        prompt: what it should be.
        colour, clay: float32[VIEWS, 3, PIXELS, PIXELS], lit and textureless portraits.
        """
        colours, parts = colours_of(prompt), parts_of(prompt)
        seen = self._judge.pictures(colour)
        kind = KINDS.index(prompt.kind)
        others = [text for text in (*colours, *parts) if text not in self._texts]
        captions = torch.cat([self._captions, self._judge.captions(others)]) if others else self._captions
        return Grade(
            colour=r_precision(seen @ captions.T, [self._texts.index(prompt.text)] * len(seen)),
            textureless=r_precision(self._judge.pictures(clay) @ self._kinds.T, [kind] * len(clay)),
            kind=r_precision(seen @ self._kinds.T, [kind] * len(seen)),
            own_colour=self._share(seen, [prompt.text, *colours]) if colours else None,
            part=self._share(seen, [prompt.text, *parts]) if parts else None,
        )

    def _share(self, seen: torch.Tensor, captions: Sequence[str]) -> float:
        """The share of views that find the first caption."""
        return r_precision(seen @ self._judge.captions(captions).T, [0] * len(seen))


def colours_of(prompt: Prompt) -> list[str]:
    """Return the prompt's object in every other colour that its kind takes; none where the prompt names no colour."""
    look = prompt.appearance
    others = [colour for colour in prompt.kind.colours if look.colour and colour != look.colour]
    return [describe(prompt.kind, replace(look, colour=colour)) for colour in others]


def parts_of(prompt: Prompt) -> list[str]:
    """Return what is wrong of the prompt's part: every other colour, swapped, left out, over the whole.

    None where the prompt names no part, or a pattern as well: then "a red mug" is not all that is left.
    """
    look = prompt.appearance
    return [] if look.part is None or look.pattern else part_captions(prompt.kind, look.colour, look.part)[1:]


def mean_grade(grades: Sequence[Grade]) -> Grade:
    """Return the means, each over those that have the figure.

    grades: one at least.
    """
    means: dict[str, Any] = {}
    for field in fields(Grade):
        known = [value for value in (getattr(grade, field.name) for grade in grades) if value is not None]
        means[field.name] = sum(known) / len(known) if known else None
    return Grade(**means)


def second_judge(folder: Path | None) -> Judge | None:
    """Load the judge that grades beside the built-in one.

    folder: Path of a CLIPModel; None: there is no second judge.
    Raises SystemExit where it cannot judge, or is the first one.
    """
    if folder is None:
        return None
    try:
        found = judge_folder(str(folder), "starter")
        if found is None or filecmp.cmp(found / _MODEL, WEIGHTS / _MODEL, shallow=False):
            raise SystemExit(
                f"The second judge cannot be used.\n  why: {folder} holds the built-in judge, which is the first.\n"
                "  fix: Give another CLIP, such as one that python -m training.judge.train --seed N makes."
            )
        return load_judge(found)
    except EngineError as error:
        raise SystemExit(str(error)) from error
    except OSError as error:  # a judge in several files has no such file to compare
        raise SystemExit(
            f"The second judge cannot be used.\n  why: {folder} has no {_MODEL}: {error.strerror}.\n"
            "  fix: Give a CLIPModel folder with all of its weights in one file."
        ) from error
