"""What each score asks of the denoiser in a training step: the one place that says what a score costs.

It needs no torch. A test counts the calls of a real teacher beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dreamfusion_engine.config.stages import GuidanceConfig, Score, ScoreConfig
from dreamfusion_engine.models.card import PromptCard, uses_perp_neg

BACKWARD_ALONE = 1.0  # a backward pass to low-rank weights, over a forward pass: frozen weights get no gradient
_ROUNDED_UP = 0.5  # steps that rounding up adds in the mean

Walk = Callable[[ScoreConfig, float, float], float]  # settings, t of the largest view, upper end -> calls


@dataclass(frozen=True, kw_only=True)
class ScoreWork:
    """What a step asks about a view.

    texts: pictures in a guided call for one view, before Perp-Neg's. walk: guided calls one after another, in the
    mean, from the largest t of those in the call and the upper end of the range, shares of T. alone: calls with one
    picture a view. learning: such calls forwards and backwards. recordable: whether it is the same work in every step,
    so that a CUDA graph can hold it.
    """

    texts: int = 2  # with the prompt and without
    walk: Walk = lambda score, largest, high: 1.0
    alone: int = 0
    learning: int = 0
    recordable: bool = True

    def guided(self, score: ScoreConfig, largest: float, high: float) -> float:
        """Calls with `texts` pictures a view, in the mean. largest, high: as `walk` has them."""
        return self.walk(score, largest, high)

    def calls(self, score: ScoreConfig, largest: float, high: float) -> float:
        """Passes through the network, backward ones too, in the mean."""
        return self.guided(score, largest, high) + self.alone + 2 * self.learning


def _inversion(score: ScoreConfig, largest: float, high: float) -> float:
    """The steps to the largest t (`sdi.inversion_steps`), then the prediction."""
    return 1.0 + max(1.0, score.inversion_steps * largest + _ROUNDED_UP)


def _sampling(score: ScoreConfig, largest: float, high: float) -> float:
    """The steps from the upper end of the range (`sampled.sampling_steps`); the last is the prediction."""
    return max(1.0, score.sampling_steps * high + _ROUNDED_UP)


WORK: Mapping[Score, ScoreWork] = {
    "sds": ScoreWork(),
    "csd": ScoreWork(),
    "nfsd": ScoreWork(texts=3),  # and what bad pictures are called
    "sampled": ScoreWork(walk=_sampling),
    "sdi": ScoreWork(walk=_inversion, recordable=False),
    "vsd": ScoreWork(alone=1, learning=1, recordable=False),  # the copy's prediction, and its lesson
}


def predictions_a_view(config: GuidanceConfig, card: PromptCard) -> int:
    """How many pictures a view adds to a step's call of the denoiser: one for each text that it is told.

    With and without the prompt; what bad pictures are called; front and side of Perp-Neg.
    """
    return WORK[config.score].texts + (2 if uses_perp_neg(config, card) else 0)
