"""Watches the disk: reports failed writes, and how the jobs of other Blenders stand."""

from __future__ import annotations

import time

from ..job import Job, JobState
from .changes import Change, Changes
from .folder import write_trouble
from .store import JobStore
from .writer import Pending

_EVERY_S = 5.0  # seconds between two looks at the same job of another Blender
_TAKEN_OVER = (
    "state",
    "owner",
    "trouble",
    "ended",
    "stage",
    "step",
    "total",
    "result",
    "thumbnail",
    "notes",
    "standing",
    "winner",
    "verdict",
)


class StoreWatch:
    """Keeps a queue's jobs in step with the disk. The store's thread does the reading, one job at a time."""

    def __init__(self, store: JobStore, changes: Changes, now: float) -> None:
        self._store = store
        self._changes = changes
        self._asked_at = now
        self._turn = 0
        self._asked: tuple[Job, list[Job | None], Pending] | None = None

    def poll(self, jobs: list[Job], now: float) -> None:
        """Mark the jobs that could not be written, and update those of other Blenders.

        jobs: list of the queue's jobs; deleted ones are removed from it.
        now: float, time.monotonic().
        """
        self._heed_failures(jobs)
        self._heed_others(jobs)
        others = [job for job in jobs if job.owner]
        if self._asked is None and others and now - self._asked_at > _EVERY_S / len(others):
            self._asked_at = now
            self._turn += 1
            job = others[self._turn % len(others)]
            answer: list[Job | None] = []
            self._asked = job, answer, self._store.in_background(lambda: answer.append(self._store.reread(job)))

    def _heed_failures(self, jobs: list[Job]) -> None:
        for failure in self._store.failures():
            job = next((job for job in jobs if job.id == failure.job_id), None)
            if job is None:
                continue
            trouble = write_trouble(job, failure.error)
            if job.state is JobState.QUEUED:
                job.trouble, job.ended, job.state = trouble, time.time(), JobState.FAILED
                self._changes.say(Change(job, "state"))
            elif trouble.why not in job.notes:
                job.notes.append(trouble.why)
                self._changes.say(Change(job, "note", name=trouble.code))

    def _heed_others(self, jobs: list[Job]) -> None:
        if self._asked is None or not self._asked[2].done:
            return
        job, found, _ = self._asked
        self._asked = None
        if not found or job not in jobs:
            return
        fresh = found[0]
        if fresh is None:  # deleted over there
            jobs.remove(job)
        else:
            for name in _TAKEN_OVER:
                setattr(job, name, getattr(fresh, name))
        self._changes.say(Change(job, "state"))
