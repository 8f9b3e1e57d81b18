"""What a place of work tells of its jobs: plain values that travel as JSON too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["began", "progress", "ended", "note", "places"]
Fate = Literal["done", "failed", "stopped", "died"]
_TRAINED = 0.95  # of a run's work when its training ends; mesh and pictures are the rest


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a process of a job ended.

    fate: 'done'; 'failed', as it said itself; 'stopped', as it was told; 'died', without a word.
    trouble: {"code", "what", "why", "fix"}; empty where there is none.
    seconds: float, that it ran.
    score: float, share of the views in which the judge found the object; None where no judge looked.
    """

    fate: Fate
    trouble: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    score: float | None = None


@dataclass(frozen=True, kw_only=True)
class News:
    """Something that happened.

    kind: 'began', 'progress', 'ended' of a job; 'note' for people; 'places': how many jobs there is room for.
    job: str, its name; '' where it is about none.
    where: str, where the job runs, for people.
    share: float, of the job's work that is done, 0..1.
    text: str, of a note.
    count: int, of places.
    outcome: Outcome of a job that ended.
    """

    kind: Kind
    job: str = ""
    where: str = ""
    share: float = 0.0
    text: str = ""
    count: int = 0
    outcome: Outcome | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def told_news(values: Mapping[str, Any]) -> News:
    """Return what `News.to_json` made.

    values: of the JSON object.
    Raises TypeError for what is none.
    """
    outcome = values.get("outcome")
    return News(**{**values, "outcome": None if outcome is None else Outcome(**outcome)})


def share_of(message: Mapping[str, Any]) -> float:
    """Return how much of a run's work is done, by its `progress` message, 0..1.

    message: of the protocol.
    """
    stage, step, total = message.get("stage"), message.get("step"), message.get("total")
    if stage in ("download", "load"):
        return 0.0
    if stage != "train":
        return _TRAINED
    if not isinstance(step, int) or not isinstance(total, int) or total <= 0:
        return 0.0
    return _TRAINED * min(1.0, max(0.0, step / total))


def trained(message: Mapping[str, Any]) -> bool:
    """Return whether a run has done a step, by its `progress` message: only then is there something to save.

    message: of the protocol.
    """
    stage, step = message.get("stage"), message.get("step")
    return stage not in ("download", "load") and (stage != "train" or (isinstance(step, int) and step > 0))
