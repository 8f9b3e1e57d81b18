"""When a training shows itself: often enough for somebody who watches, and seldom enough to cost little."""

from __future__ import annotations

import time
from collections.abc import Callable

from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.machine.device import out_of_memory, release_memory
from dreamfusion_engine.optimize.training import Training

_SHARE = 0.05  # of the time may go into previews ...
_EVERY = 2.0  # ... and they come this many seconds apart at least ...
_LATEST = 5.0  # ... and at most, because somebody is watching,
_MOST = 0.25  # unless that took more than this share of the time


class Snapshots:
    """Previews of a training, for as long as there is memory for them: they are not worth a run.

    show: called with the training.
    report: told once where there is no memory.
    """

    def __init__(self, show: Callable[[Training], None], report: Report) -> None:
        self._show, self._report = show, report
        self._affordable = True
        self.begin()

    def begin(self) -> None:
        """Forget when the last one was, and what it took."""
        self._last = self._cost = 0.0

    def show_if_due(self, training: Training, now: float) -> None:
        """Show a training, unless it is too early for that.

        training: Training to show.
        now: float, seconds of the monotonic clock.
        """
        latest = max(_LATEST, self._cost / _MOST)
        if now - self._last > min(max(_EVERY, self._cost / _SHARE), latest):
            self._last = time.monotonic()
            self._take(training)
            self._cost = time.monotonic() - self._last

    def _take(self, training: Training) -> None:
        if not self._affordable:
            return
        try:
            self._show(training)
        except Exception as error:
            if not out_of_memory(error):
                raise
            self._affordable = False
        if not self._affordable:  # out here the error is gone, and with it the tensors that its traceback held
            release_memory()
            text = "There is no memory for previews. The run goes on without."
            self._report(Note(code="memory.previews", text=text))
