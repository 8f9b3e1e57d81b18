"""What a preset costs on a device: measured in earlier runs, nominal before the first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .job import Job, Recipe


@dataclass(frozen=True)
class Estimate:
    """seconds: of a whole run. measured: whether this device has made such a run before."""

    seconds: float
    measured: bool

    @property
    def text(self) -> str:
        """'about 4 min'; a nominal one says so: 'about 4 min (not measured here yet)'."""
        raise NotImplementedError


class Estimates:
    """Speeds of earlier runs in one small file."""

    def __init__(self, path: Path) -> None:
        """path: the JSON file; made by `learn`. A damaged one counts as empty."""
        raise NotImplementedError

    def of(self, recipe: Recipe, devices: dict[str, Any] | None) -> Estimate:
        """What the recipe would take. devices: the engine's report, None while it is not known."""
        raise NotImplementedError

    def learn(self, job: Job, devices: dict[str, Any] | None) -> None:
        """Remember what a job that is DONE took, from its result.json."""
        raise NotImplementedError


def duration_text(seconds: float) -> str:
    """'40 s', '4 min', '2 h 50 min'."""
    raise NotImplementedError
