"""What happens to the jobs when an engine dies: which one failed, and when the queue waits for a person."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..job import Job, JobState, Trouble
from .run import Run

LIMIT = 3  # engines that died one after another, with no good run between, before the queue waits for a person


class EngineDeaths:
    """Counts engines that died one after another.

    held: bool; while it is set, nothing starts until somebody presses a button.
    """

    def __init__(self) -> None:
        self.held = False
        self._count = 0

    def forget(self) -> None:
        """Let the queue start engines again and count from zero, because somebody has pressed a button."""
        self.held, self._count = False, 0

    def good_run(self) -> None:
        """Count from zero, because an engine has ended a run properly."""
        self._count = 0

    def one_more(
        self, runs: Sequence[Run], waiting: Job | None, trouble: Trouble | None, *, was_starting: bool
    ) -> Job | None:
        """Count a death and end the runs that the engine had. Returns the waiting job that failed instead, if one did.

        runs: Run each of the engine that died, which count as the cause; empty for an idle engine.
        waiting: Job, the first of the queue.
        trouble: why the engine died.
        was_starting: bool, the engine had not greeted yet, so it was started for the sake of `waiting`.

        When an idle engine dies, no job fails, unless it is one death too many.
        """
        self._count += 1
        if not runs:
            return self.none_to_be_had(waiting, trouble) if was_starting or self._count >= LIMIT else None
        lost = [run for run in runs if not run.saving]  # of the others it had done its work before it died
        for run in lost:
            cancelled = run.overdue_s(time.monotonic()) > 0.0
            run.end(*((JobState.CANCELLED, None) if cancelled else (JobState.FAILED, trouble)))
        self.held = self.held or (bool(lost) and self._count >= LIMIT)
        return None

    def none_to_be_had(self, waiting: Job | None, trouble: Trouble | None) -> Job | None:
        """No engine can be had: fail the first job, return it, and hold the others until a button is pressed.

        waiting: Job, the first of the queue, or None.
        trouble: what that job then says.
        """
        self.held = True
        if waiting is not None:
            waiting.trouble, waiting.ended, waiting.state = trouble, time.time(), JobState.FAILED
        return waiting
