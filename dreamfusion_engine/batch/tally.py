"""How far a batch is: counts, share and the time left, from the news of its jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dreamfusion_engine.batch.news import News
from dreamfusion_engine.batch.plan import Plan


@dataclass
class Tally:
    """The state of a batch while it runs.

    plan: Plan, whose states somebody else keeps.
    clock: returns seconds.
    """

    plan: Plan
    clock: Callable[[], float] = time.monotonic
    running: dict[str, float] = field(default_factory=dict)  # job -> share that is done
    places: int = 0
    _since: float = -1.0  # when work began
    _work: float = 0.0  # jobs' worth of work that was there then

    def hear(self, news: News) -> None:
        """Take in a piece of news, after the plan has.

        news: News.
        """
        if self._since < 0.0 and news.kind == "began":
            self._since, self._work = self.clock(), float(self.done)
        if news.kind == "places":
            self.places = news.count
        elif news.kind == "began":
            self.running[news.job] = 0.0
        elif news.kind == "progress" and news.job in self.running:
            if not self.running[news.job]:  # what a checkpoint brought was not made now
                self._work += news.share
            self.running[news.job] = max(news.share, self.running[news.job])
        elif news.kind == "ended":
            self.running.pop(news.job, None)

    @property
    def total(self) -> int:
        """All jobs."""
        return len(self.plan.jobs)

    @property
    def done(self) -> int:
        """Jobs that are done."""
        return self.plan.count("done")

    @property
    def failed(self) -> int:
        """Jobs that failed."""
        return self.plan.count("failed")

    @property
    def share(self) -> float:
        """The work that is over, 0..1; a job that failed asks for no more."""
        return min(1.0, (self.done + self.failed + sum(self.running.values())) / max(1, self.total))

    @property
    def eta_s(self) -> float | None:
        """Seconds to the end at the pace since work began; None while there is none."""
        if self._since < 0.0:
            return None
        made = self.done + sum(self.running.values()) - self._work
        left = self.total - self.failed - self.done - sum(self.running.values())
        seconds = self.clock() - self._since
        return left * seconds / made if made > 0.02 and seconds > 0.0 else None
