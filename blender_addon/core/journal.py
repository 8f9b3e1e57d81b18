"""Jobs as folders on disk. What is written survives a crash of the engine, of Blender and of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .job import Job, Recipe


@dataclass(frozen=True)
class Unreadable:
    """A folder that holds a job which this version cannot read. It is left as it is."""

    folder: Path
    why: str


class JobStore:
    """The jobs in one output folder.

    Writing is done by a thread of its own, in order, so that a slow disk never keeps Blender waiting.
    """

    def __init__(self, root: Path) -> None:
        """root: the output folder; made when the first job is written."""
        self.root = root
        self.unreadable: list[Unreadable] = []

    def load(self) -> list[Job]:
        """Every job, oldest first. Jobs that were on when their Blender went away are INTERRUPTED. See `unreadable`."""
        raise NotImplementedError

    def create(self, recipe: Recipe, placement: Mapping[str, Any]) -> Job:
        """A new job, QUEUED, its folder named <slug of prompt>-<seed>-<id>."""
        raise NotImplementedError

    def save(self, job: Job) -> None:
        """Write down how the job stands. Returns at once."""
        raise NotImplementedError

    def remove(self, job: Job) -> None:
        """Delete the job's folder. Returns at once."""
        raise NotImplementedError

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what is still to be written, for no longer than `timeout_s`."""
        raise NotImplementedError
