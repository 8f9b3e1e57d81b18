"""One bar and one time left for a run of several trainings: the shape, its refinement, and the texture stage."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from dreamfusion_engine.events import Event, Progress, Report


class Course:
    """The trainings of a run, one after another, told as one: a Report.

    What lies between two of them holds the bar, and lets the time go on. Before the first training and after the last
    one everything is told as it is.

    report: told of events, with steps of the whole run.
    steps: int each, of the trainings, in their order; 0 for one that there is not.
    """

    def __init__(self, report: Report, steps: Sequence[int]) -> None:
        self._report = report
        self._steps = tuple(steps)
        self._part = 0
        self._left: tuple[float, float] | None = None  # seconds to the end of the run, and when that was said

    def begin(self, part: int) -> None:
        """Say which training comes now.

        part: int, its place among `steps`.
        """
        self._part = part

    def __call__(self, event: Event) -> None:
        """Tell an event.

        event: Event of the training at work, or of what comes before or after it.
        """
        self._report(self._progress(event) if isinstance(event, Progress) else event)

    def _progress(self, event: Progress) -> Progress:
        total, before, own = sum(self._steps), sum(self._steps[: self._part]), self._steps[self._part]
        if event.stage == "train":
            if event.eta_s is not None:
                self._left = (event.eta_s, time.monotonic())
            return dataclasses.replace(event, step=min(total, before + event.step), total=total)
        first, last = self._part == 0, self._part == len(self._steps) - 1
        begins = event.stage in ("download", "load")
        if first if begins else last:
            return event
        left = None if self._left is None else max(0.0, self._left[0] - (time.monotonic() - self._left[1]))
        done = before if begins else before + own
        return dataclasses.replace(event, stage="train", step=done, total=total, eta_s=left, rate=None)
