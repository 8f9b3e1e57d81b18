"""The length of a step's sample arrays, where the host must not wait to learn the number of samples.

A card works behind the host. Reading a number from it waits until it has nothing left to do. So the arrays get room
for more samples than the earlier steps had, and each step notes on the card how many it wanted. The host looks at that
now and then. A step whose samples did not fit moves nothing, like one whose gradient is not finite.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.render.march import most_samples

SPARE = 1.5  # rows, times the most samples of late: views differ by a third, and an object may grow
_TOO_MUCH = 3.0  # rows, times the most samples of late, from which the arrays are made shorter again
_TOO_LITTLE = 1.2  # ... and below which longer, before they are full


def sample_capacity(config: GenerateConfig, device: torch.device) -> SampleCapacity:
    """Return a SampleCapacity for the most samples that a ray of this configuration can have.

    config: GenerateConfig of the attempt.
    device: torch.device of the training.
    """
    step = 2.0 / config.render.steps
    return SampleCapacity(most_samples(step, config.render.max_samples_per_ray), device)


class SampleCapacity:
    """Rows for samples, counted by the ray, so that they hold for any size of render.

    most: int, most samples of a ray.
    device: torch.device, where steps are made.
    short: attribute, bool[] on the device, whether the samples of the current step did not fit.
    """

    def __init__(self, most: int, device: torch.device) -> None:
        self._most = float(most)
        self._rows: float | None = None  # a ray
        self._wanted = torch.zeros((), device=device)  # samples a ray, the most since the host last read it
        self.short = torch.zeros((), dtype=torch.bool, device=device)

    def rows(self, rays: int) -> int | None:
        """Return the rows for the samples of `rays` rays; None: not known yet, so count the samples."""
        return None if self._rows is None else max(1, round(self._rows * rays))

    def counted(self, samples: int, rays: int) -> None:
        """Learn from a step that waited and had `samples` samples on `rays` rays."""
        self._fit(samples / rays)

    def note(self, wanted: Tensor, rays: int, rows: int) -> None:
        """Note on the device how many samples a step wanted.

        wanted: int32[1], samples.
        rays: int, rays of the step.
        rows: int, rows that it had.
        """
        self._wanted.copy_(torch.maximum(self._wanted, wanted[0] / rays))
        self.short.logical_or_(wanted[0] > rows)

    def adapt(self) -> bool:
        """Read what the steps since the last call wanted and adapt the rows; return whether that changed them.

        Waits for the device.
        """
        before = self._rows
        if before is not None:
            self._fit(float(self._wanted))
        self._wanted.zero_()
        return self._rows != before

    def _fit(self, wanted: float) -> None:
        rows = self._rows or 0.0
        if wanted > 0.0 and not _TOO_LITTLE * wanted <= rows <= max(_TOO_MUCH * wanted, 1.0):
            self._rows = min(SPARE * wanted, self._most)
