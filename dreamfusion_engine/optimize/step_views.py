"""The views of a training step: cameras, light, background, and where samples begin. Axis letter: B views."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.machine.device import sent
from dreamfusion_engine.scene.background import random_backgrounds
from dreamfusion_engine.scene.cameras import Cameras, sample_cameras
from dreamfusion_engine.scene.light import sample_lights


@dataclass(frozen=True, kw_only=True)
class StepViews:
    """B views.

    cameras: Cameras, B of them.
    light: float32[B, 3], positions, world units.
    background: float32[B, 3], sRGB.
    jitter: float32[B, rays of a view] in [0, 1), where in its step each ray's samples lie.
    """

    cameras: Cameras
    light: Tensor
    background: Tensor
    jitter: Tensor

    def __len__(self) -> int:
        return len(self.cameras)

    def rows(self, first: int, count: int) -> StepViews:
        """Return `count` of the views, from `first` on.

        first, count: int.
        """
        which = slice(first, first + count)
        return StepViews(
            cameras=self.cameras.rows(which),
            light=self.light[which],
            background=self.background[which],
            jitter=self.jitter[which],
        )

    def on(self, device: torch.device) -> StepViews:
        """Return the views on `device`, without waiting for it."""
        return StepViews(
            cameras=self.cameras.seen_from(device),
            light=sent(self.light, device),
            background=sent(self.background, device),
            jitter=sent(self.jitter, device),
        )

    def over_rays(self, values: Tensor) -> Tensor:
        """Return values float32[B, 3] of each view, repeated for each of its rays."""
        return values.repeat_interleave(self.jitter.shape[1], 0)


def sample_step_views(
    config: GenerateConfig, count: int, size: int, host: torch.Generator, generator: torch.Generator
) -> StepViews:
    """Draw `count` random views of size x size rays for one step.

    config: GenerateConfig of the attempt.
    count: int, views B.
    size: int, pixels.
    host: torch.Generator on the host, for the views.
    generator: torch.Generator where the rays are, for the jitter; may be the same.
    """
    cameras = sample_cameras(count, config.camera, host)
    light = sample_lights(cameras.position, host, config.camera.light_spread)
    if config.field.background == "learned":
        background = torch.zeros(count, 3)
    elif config.field.background == "white":
        background = torch.ones(count, 3)
    else:
        background = random_backgrounds(count, host)
    jitter = torch.rand(count, size * size, generator=generator, device=generator.device)
    return StepViews(cameras=cameras, light=light, background=background, jitter=jitter)
