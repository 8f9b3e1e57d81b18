"""What becomes of the jobs when an engine dies: whom it is blamed on, and when the queue waits for a person."""

from __future__ import annotations

import time

from ..job import Job, JobState, Trouble
from .run import Run

LIMIT = 3  # engines that died one after another, with no good run between, before the queue waits for a person


class EngineDeaths:
    """Counts engines that died one after another. held: nothing starts until somebody presses a button."""

    def __init__(self) -> None:
        self.held = False
        self._count = 0

    def forget(self) -> None:
        """Somebody has pressed a button: the next engine may be a better one."""
        self.held, self._count = False, 0

    def good_run(self) -> None:
        """An engine has ended a run as it should."""
        self._count = 0

    def one_more(
        self, run: Run | None, waiting: Job | None, trouble: Trouble | None, *, was_starting: bool
    ) -> Job | None:
        """An engine died: end the run that it had, which is to blame. Else the job that failed for it, if any did.

        run: the run that it had. waiting: the first job of the queue. was_starting: it had not greeted, so
        that it was started for that job's sake. An idle engine's death is nobody's failure.
        """
        self._count += 1
        if run is None:
            return self.none_to_be_had(waiting, trouble) if was_starting or self._count >= LIMIT else None
        if run.saving:  # it had done its work
            return None
        cancelled = run.overdue_s(time.monotonic()) > 0.0
        run.end(*((JobState.CANCELLED, None) if cancelled else (JobState.FAILED, trouble)))
        self.held = self._count >= LIMIT
        return None

    def none_to_be_had(self, waiting: Job | None, trouble: Trouble | None) -> Job | None:
        """No engine can be had: the first job, which is returned, says why; the others wait for a button."""
        self.held = True
        if waiting is not None:
            waiting.trouble, waiting.ended, waiting.state = trouble, time.time(), JobState.FAILED
        return waiting
