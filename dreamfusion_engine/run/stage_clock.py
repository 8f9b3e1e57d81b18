"""The stages of a run as they pass: their seconds, and a Progress event for each."""

from __future__ import annotations

import time
from collections.abc import Collection

import torch

from dreamfusion_engine.events import Progress, Report, Stage
from dreamfusion_engine.machine.device import peak_memory_mib


class StageClock:
    """Seconds by stage, and a Progress event whenever a stage begins or moves on."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._seconds: dict[str, float] = {}
        self._stage: Stage | None = None
        self._since = time.monotonic()

    def enter(self, stage: Stage, device: torch.device) -> None:
        """Stop the running stage and start `stage`.

        stage: Stage.
        device: torch.device, whose memory is reported.
        """
        self.share(stage, 0.0, device)

    def share(self, stage: Stage, done: float, device: torch.device) -> None:
        """`stage` is running and this share of it, in [0, 1], is done."""
        if stage != self._stage:
            self._close()
            self._stage = stage
        if stage != "train":  # the session reports its own steps
            percent = round(100 * done)
            self._report(
                Progress(
                    stage=stage, step=percent, total=100, eta_s=None, rate=None, memory_mib=peak_memory_mib(device)
                )
            )

    def finished(self) -> dict[str, float]:
        """Seconds by stage so far, rounded."""
        self._close()
        return {stage: round(seconds, 2) for stage, seconds in self._seconds.items()}

    def seconds_of(self, stages: Collection[Stage]) -> float:
        """Seconds in these stages so far.

        stages: Stages.
        """
        finished = self.finished()
        return sum(seconds for stage, seconds in finished.items() if stage in stages)

    def _close(self) -> None:
        now = time.monotonic()
        if self._stage is not None:
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._since
        self._since = now
