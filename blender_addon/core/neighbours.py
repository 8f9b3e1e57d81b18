"""How the jobs stand that another Blender, in the same output folder, is busy with."""

from __future__ import annotations

from .change import Change, Changes
from .job import Job
from .journal import JobStore
from .writer import Pending

_EVERY_S = 5.0  # each job is looked at so often
_TAKEN_OVER = ("state", "owner", "trouble", "ended", "stage", "step", "total", "result", "thumbnail", "notes")


class Neighbours:
    """Reads the journals of such jobs again, one at a time, in the store's thread."""

    def __init__(self, store: JobStore, changes: Changes, now: float) -> None:
        self._store = store
        self._changes = changes
        self._asked_at = now
        self._turn = 0
        self._asked: tuple[Job, list[Job | None], Pending] | None = None

    def look(self, jobs: list[Job], now: float) -> None:
        """Take over what was read, remove from `jobs` what was deleted over there, and ask for the next."""
        if self._asked is not None:
            job, found, pending = self._asked
            if not pending.done:
                return
            self._asked = None
            if found and job in jobs:
                self._adopt(job, found[0], jobs)
        others = [job for job in jobs if job.owner]
        if others and now - self._asked_at > _EVERY_S / len(others):
            self._asked_at = now
            self._turn += 1
            job = others[self._turn % len(others)]
            answer: list[Job | None] = []
            self._asked = job, answer, self._store.in_background(lambda: answer.append(self._store.reread(job)))

    def _adopt(self, job: Job, fresh: Job | None, jobs: list[Job]) -> None:
        if fresh is None:
            jobs.remove(job)
        else:
            for name in _TAKEN_OVER:
                setattr(job, name, getattr(fresh, name))
        self._changes.say(Change(job, "state"))
