"""The scores: what the denoiser's predictions are made into. One record a score, with all that others must know of it.

It needs no torch. What a score computes is in the file of its name in guidance/scores/. A test counts the calls of a
real teacher beside these records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Score = Literal["sds", "csd", "nfsd", "sdi", "vsd", "sampled"]
BACKWARD_ALONE = 1.0  # a backward pass to low-rank weights, over a forward pass: frozen weights get no gradient
_ROUNDED_UP = 0.5  # steps that rounding up adds in the mean


class WalkSettings(Protocol):
    """How many steps a score's walk has, when it leads through all timesteps: of `ScoreConfig`."""

    @property
    def inversion_steps(self) -> int: ...
    @property
    def sampling_steps(self) -> int: ...


Walk = Callable[[WalkSettings, float, float], float]  # settings, t of the largest view, upper end -> calls


@dataclass(frozen=True, kw_only=True)
class ScoreRecord:
    """What a score is and asks for.

    walk: guided calls one after another, in the mean, from the largest t of those in the call and the upper end of the
    range, shares of T. names_bad: asks also for what bad pictures are called. draws_more: draws noise for each further
    step of its walk. learns: trains a copy of the denoiser on the renders, and asks it too. rescales: heeds
    guidance.rescale. recordable: whether it is the same work in every step, so that a CUDA graph can hold it. own: what
    recipes of large models change with it, and its source.
    """

    walk: Walk = lambda score, largest, high: 1.0
    names_bad: bool = False
    draws_more: bool = False
    learns: bool = False
    rescales: bool = True
    recordable: bool = True
    own: Mapping[str, tuple[Any, str]] = field(default_factory=dict)

    @property
    def texts(self) -> int:
        """Pictures in a guided call for one view, before Perp-Neg's: with the prompt, without, and for bad pictures."""
        return 3 if self.names_bad else 2

    @property
    def alone(self) -> int:
        """Calls with one picture a view: the copy's prediction."""
        return int(self.learns)

    @property
    def learning(self) -> int:
        """Such calls forwards and backwards: the copy's lesson."""
        return int(self.learns)

    def guided(self, score: WalkSettings, largest: float, high: float) -> float:
        """Calls with `texts` pictures a view, in the mean. largest, high: as `walk` has them."""
        return self.walk(score, largest, high)

    def calls(self, score: WalkSettings, largest: float, high: float) -> float:
        """Passes through the network, backward ones too, in the mean."""
        return self.guided(score, largest, high) + self.alone + 2 * self.learning


def _inversion(score: WalkSettings, largest: float, high: float) -> float:
    """The steps to the largest t (`sdi.inversion_steps`), then the prediction."""
    return 1.0 + max(1.0, score.inversion_steps * largest + _ROUNDED_UP)


def _sampling(score: WalkSettings, largest: float, high: float) -> float:
    """The steps from the upper end of the range (`sampled.sampling_steps`); the last is the prediction."""
    return max(1.0, score.sampling_steps * high + _ROUNDED_UP)


_WEAK = (7.5, "TS's prolificdreamer (arXiv 2305.16213), NFSD (arXiv 2310.17590) and SDI (arXiv 2405.15891)")

SCORES: Mapping[Score, ScoreRecord] = {
    "sds": ScoreRecord(),
    "csd": ScoreRecord(rescales=False),
    "nfsd": ScoreRecord(names_bad=True, rescales=False, own={"guidance.scale": _WEAK}),
    "sdi": ScoreRecord(walk=_inversion, recordable=False, own={"guidance.scale": _WEAK}),
    "vsd": ScoreRecord(
        learns=True,
        recordable=False,
        own={"guidance.scale": _WEAK, "score.lora_rate": (1e-4, "arXiv 2305.16213")},
    ),
    "sampled": ScoreRecord(
        walk=_sampling,
        draws_more=True,
        own={"guidance.scale": (7.5, "ours: what such models are sampled with; not measured")},
    ),
}
