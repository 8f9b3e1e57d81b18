"""The jobs that wait, and what becomes of one whose process ended: it is over, or it is tried again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dreamfusion_engine.batch.news import Outcome

TRIES = 3  # that a job may die without having come further
_BUSY_TRIES = 30
_BUSY_SECONDS = 4.0  # between them: an orphan of a killed batch keeps its folder until it has stopped
BUSY = "input.output_busy"
DISK_FULL = "input.disk_full"


@dataclass
class _Record:
    deaths: int = 0
    busy: int = 0
    share: float = 0.0
    best: float = 0.0
    not_before: float = 0.0
    seconds: float = 0.0
    avoid: set[str] = field(default_factory=set)


class JobQueue:
    """The jobs of a place of work.

    jobs: {"name", "prompt", "seed"} each, in their order.
    """

    def __init__(self, jobs: Iterable[Mapping[str, Any]]) -> None:
        self._waiting = deque(jobs)
        self._records = {str(job["name"]): _Record() for job in self._waiting}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: Mapping[str, Any]) -> None:
        """Let one more job wait, after the others.

        job: {"name"} at least.
        """
        self._records[str(job["name"])] = _Record()
        self._waiting.append(job)

    def drop(self, name: str) -> bool:
        """Take a job that waits away; return whether it waited.

        name: str.
        """
        kept = [job for job in self._waiting if job["name"] != name]
        dropped = len(kept) < len(self._waiting)
        self._waiting = deque(kept)
        return dropped

    def next(self) -> Mapping[str, Any] | None:
        """Return the next job that may begin now; None where none may."""
        now = time.monotonic()
        for _ in range(len(self._waiting)):
            job = self._waiting.popleft()
            if self._records[job["name"]].not_before <= now:
                return job
            self._waiting.append(job)
        return None

    def progressed(self, name: str, share: float) -> None:
        """Note how far a job is.

        name: str, of the job.
        share: float, 0..1.
        """
        self._records[name].share = share

    def avoided(self, name: str) -> set[str]:
        """Return where a job has met a full disk.

        name: str, of the job.
        """
        return self._records[name].avoid

    def put_back(self, job: Mapping[str, Any]) -> None:
        """Let a job that never began wait again, before the others.

        job: as it was given.
        """
        self._waiting.appendleft(job)

    def ended(self, job: Mapping[str, Any], outcome: Outcome, *, elsewhere: str = "") -> Outcome | None:
        """Return how a job ended for good; None where it waits to be tried again, from its last checkpoint.

        job: as it was given.
        outcome: Outcome of its process.
        elsewhere: str, the place where it ran, where another could still take it; '' where there is none.
        """
        record = self._records[job["name"]]
        record.seconds += outcome.seconds
        again, code = False, outcome.trouble.get("code", "")
        if outcome.fate == "died":
            record.deaths = 1 if record.share > record.best else record.deaths + 1
            record.best = max(record.best, record.share)
            again = record.deaths < TRIES
        elif outcome.fate == "failed" and code == BUSY:
            record.busy += 1
            record.not_before = time.monotonic() + _BUSY_SECONDS
            again = record.busy < _BUSY_TRIES
        elif outcome.fate == "failed" and code == DISK_FULL and elsewhere:
            record.avoid.add(elsewhere)
            again = True
        if again:
            self._waiting.appendleft(job) if record.not_before == 0.0 else self._waiting.append(job)
            return None
        return Outcome(
            fate="failed" if outcome.fate == "died" else outcome.fate,
            trouble=outcome.trouble,
            seconds=round(record.seconds, 2),
            score=outcome.score,
        )
