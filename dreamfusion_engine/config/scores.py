"""The scores, which turn the denoiser's predictions into a residual. Each has one record of what others must know.

It needs no torch. A score's formula is in the file of its name in guidance/scores/. A test compares the calls of a
real teacher with these records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Score = Literal["sds", "csd", "nfsd", "sdi", "vsd", "sampled"]
BACKWARD_ALONE = 1.0  # a backward pass to low-rank weights, over a forward pass: frozen weights get no gradient
_ROUNDED_UP = 0.5  # steps that rounding up adds in the mean


class WalkSettings(Protocol):
    """The settings of `ScoreConfig` that give a score's number of steps through all timesteps."""

    @property
    def inversion_steps(self) -> int: ...
    @property
    def sampling_steps(self) -> int: ...


Walk = Callable[[WalkSettings, float, float], float]  # settings, t of the largest view, upper end -> calls


@dataclass(frozen=True, kw_only=True)
class ScoreRecord:
    """What a score is and needs.

    label, says: its name and what it does, for menus.
    walk: mean number of guided calls one after another, from the settings, the largest t of those in the call and the
        upper end of the range, both shares of T.
    names_bad: bool, whether it also needs the prediction for bad pictures.
    draws_more: bool, whether it draws noise for each further step of its walk.
    learns: bool, whether it trains a copy of the denoiser on the renders, and asks it too.
    rescales: bool, whether guidance.rescale has an effect.
    recordable: bool, whether it does the same work in every step, so that a CUDA graph can record it.
    own: settings that recipes of large models change with it, and their sources.
    """

    label: str
    says: str
    walk: Walk = lambda score, largest, high: 1.0
    names_bad: bool = False
    draws_more: bool = False
    learns: bool = False
    rescales: bool = True
    recordable: bool = True
    own: Mapping[str, tuple[Any, str]] = field(default_factory=dict)

    @property
    def texts(self) -> int:
        """Return the texts of a guided call for one view, before Perp-Neg's: the prompt, none, and bad pictures."""
        return 3 if self.names_bad else 2

    def calls(self, score: WalkSettings, largest: float, high: float) -> float:
        """Return the mean number of passes through the network, backward ones too.

        score: WalkSettings, as `walk` takes them.
        largest: float, t of the largest view, share of T.
        high: float, upper end of the range, share of T.
        """
        return self.walk(score, largest, high) + 3 * self.learns  # the copy's prediction, and its lesson there and back


def _inversion(score: WalkSettings, largest: float, high: float) -> float:
    """The steps to the largest t (`sdi.inversion_steps`), then the prediction."""
    return 1.0 + max(1.0, score.inversion_steps * largest + _ROUNDED_UP)


def _sampling(score: WalkSettings, largest: float, high: float) -> float:
    """The steps from the upper end of the range (`sampled.sampling_steps`); the last is the prediction."""
    return max(1.0, score.sampling_steps * high + _ROUNDED_UP)


_WEAK = (7.5, "TS's prolificdreamer, NFSD and SDI (arXiv 2305.16213, 2310.17590, 2405.15891)")

SCORES: Mapping[Score, ScoreRecord] = {
    "sds": ScoreRecord(label="SDS", says="Score distillation, as in DreamFusion"),
    "csd": ScoreRecord(
        label="CSD",
        says="Towards the prompt alone. For large models; the built-in one falls apart",
        rescales=False,
    ),
    "nfsd": ScoreRecord(
        label="NFSD",
        says="Without the part that is noise. For large models; the built-in one falls apart",
        names_bad=True,
        rescales=False,
        own={"guidance.scale": _WEAK},
    ),
    "sdi": ScoreRecord(
        label="SDI",
        says="Noise found by inversion, several times as slow",
        walk=_inversion,
        recordable=False,
        own={"guidance.scale": _WEAK},
    ),
    "vsd": ScoreRecord(
        label="VSD",
        says="Against a model that learns the renders, two to three times as slow",
        learns=True,
        recordable=False,
        own={"guidance.scale": _WEAK, "score.lora_rate": (1e-4, "arXiv 2305.16213")},
    ),
    "sampled": ScoreRecord(
        label="Sampled",
        says="Towards a picture sampled from the noised render. Softer, nearly twice as slow",
        walk=_sampling,
        draws_more=True,
        own={"guidance.scale": (7.5, "ours: what such models are sampled with; not measured")},
    ),
}
