"""How far a contest is: one bar and one time left for all its drafts and the winner's training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from dreamfusion_engine.events import Event, Note, Progress, Report

_NOT_HEARD = ("run.estimate",)  # it is about a single run
_OF_WINNER = ("run.finished_early",)  # a draft ends early for many reasons


class Course:
    """The training steps of a contest, and what of a run's events is told.

    total: int, training steps of the whole contest.
    report: told of events, with steps of the whole contest; of a note once.
    """

    def __init__(self, total: int, report: Report) -> None:
        self.total = total
        self.done = 0  # of drafts that are at rest
        self._report = report
        self._told: set[str] = set()

    def begin(self, done: int) -> None:
        """Say how many steps were done before the coming part.

        done: int.
        """
        self.done = min(done, self.total)

    def of_draft(self, begun_at: int) -> Report:
        """Return whom a draft tells.

        begun_at: int, its training step when its part began.
        """
        return self._heard(lambda event: self._progress(event, begun_at), (*_NOT_HEARD, *_OF_WINNER))

    def of_winner(self, begun_at: int) -> Report:
        """Return whom the winner's last part tells: what comes before its training moves no bar.

        begun_at: int, its training step then.
        """
        return self._heard(lambda event: self._winners(event, begun_at), _NOT_HEARD)

    def _heard(self, progress: Callable[[Progress], Progress], unheard: Sequence[str]) -> Report:
        def heard(event: Event) -> None:
            if isinstance(event, Note):
                if event.text in self._told or event.code in unheard:
                    return
                self._told.add(event.text)
            self._report(progress(event) if isinstance(event, Progress) else event)

        return heard

    def _progress(self, event: Progress, begun_at: int) -> Progress:
        if event.stage != "train":
            return dataclasses.replace(event, stage="train", step=self.done, total=self.total, eta_s=None, rate=None)
        step = min(self.total, self.done + event.step - begun_at)
        left = (self.total - step) / event.rate if event.rate else None
        return dataclasses.replace(event, step=step, total=self.total, eta_s=left)

    def _winners(self, event: Progress, begun_at: int) -> Progress:
        if event.stage in ("extract", "unwrap", "bake", "render"):
            return event
        said = self._progress(event, begun_at)
        return dataclasses.replace(said, eta_s=event.eta_s)  # its own run says how long the mesh takes, too
