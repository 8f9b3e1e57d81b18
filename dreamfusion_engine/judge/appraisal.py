"""A grade for pictures of one prompt: how often, and how surely, the judge finds the prompt among other captions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from dreamfusion_engine.judge.faces import faces
from dreamfusion_engine.judge.folder import WEIGHTS
from dreamfusion_engine.judge.model import Judge, load_judge
from dreamfusion_engine.judge.question import Question, known_question, open_question
from dreamfusion_engine.judge.scores import r_precision
from dreamfusion_engine.models.card_file import read_card
from dreamfusion_engine.models.pipeline_folder import STARTER_FOLDER

BUILT_IN = "the built-in judge"


@dataclass(frozen=True, kw_only=True)
class Appraisal:
    """What a judge says of pictures.

    by: str, who judged, for people.
    score: float in [0, 1], share of the pictures of which the prompt is the best caption (R-Precision).
    shape: float in [0, 1], the same of the pictures in white clay, whatever the colour is.
    surety: float in [0, 1], mean probability that the judge gives the prompt, in colour and in clay: it tells results
        of one score apart.
    views: int, pictures of each sort.
    captions: int, captions to choose among.
    fronts: float in [0, 1], share of the pictures that show the front; None for an object without a front.
    faces: int, how many faces the object shows; None for an object without a front.
    many_faced: bool, whether it probably has more faces than one.
    """

    by: str
    score: float
    shape: float
    surety: float
    views: int
    captions: int
    fronts: float | None = None
    faces: int | None = None
    many_faced: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the appraisal as result.json has it."""
        return asdict(self)


class Appraiser:
    """A judge with the question about one prompt.

    judge: Judge.
    question: Question.
    by: str, name of the judge for people.
    """

    def __init__(self, judge: Judge, question: Question, by: str) -> None:
        self._judge = judge
        self._count = len(question.captions)
        self._captions, self._shapes = (judge.captions(each) for each in (question.captions, question.shapes))
        self._sides = judge.captions(question.sides) if question.sides else None
        self.by = by

    def appraise(self, colour: Tensor, clay: Tensor) -> Appraisal:
        """Grade the pictures of one object.

        colour: float32[B, 3, H, H], sRGB in [0, 1], evenly spaced all around, in order.
        clay: of the same shape, from the same sides, in white clay.
        """
        coloured = self._judge.pictures(colour)
        seen = coloured @ self._captions.T, self._judge.pictures(clay) @ self._shapes.T
        temperature = float(self._judge.model.logit_scale.detach().exp())
        sure = [float((similarity * temperature).softmax(dim=1)[:, 0].mean()) for similarity in seen]
        score, shape = (round(r_precision(similarity, [0] * len(similarity)), 4) for similarity in seen)
        surety = round(0.5 * sum(sure), 4)
        found = None if self._sides is None else faces(coloured @ self._sides.T, temperature)
        return Appraisal(
            by=self.by,
            score=score,
            shape=shape,
            surety=surety,
            views=len(colour),
            captions=self._count,
            fronts=None if found is None else found.share,
            faces=None if found is None else found.count,
            many_faced=found is not None and found.many,
        )


def question_about(prompt: str, folder: Path) -> Question | None:
    """Return what the judge in a folder is asked about a prompt; None where it can say nothing of it.

    prompt: str, the artist's words.
    folder: Path of the judge.
    """
    return known_question(prompt, read_card(STARTER_FOLDER)) if folder == WEIGHTS else open_question(prompt)


def appraiser(prompt: str, folder: Path | None) -> Appraiser | None:
    """Load the judge in a folder for a prompt; None without a judge, or where it can say nothing of the prompt.

    prompt: str, the artist's words.
    folder: Path of the judge, from `judge.folder.judge_folder`; None: there is none.
    Raises SetupError as `load_judge`.
    """
    question = None if folder is None else question_about(prompt, folder)
    if question is None or folder is None:
        return None
    return Appraiser(load_judge(folder), question, BUILT_IN if folder == WEIGHTS else folder.name)
