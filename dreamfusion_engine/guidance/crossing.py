"""A teacher on another device than the field: pictures go there, and their gradients come back.

What crosses in a step is small beside a model's work: the pictures, as much again for their gradients, the noise that
the teacher is to find, and a few numbers. Random numbers are drawn where the field is, so that they are the same
whatever device the teacher is on, and it needs no generator. The same code carries from a device to itself, so that a
machine with one device can try it: a copy changes no bit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GuidanceConfig, Shading
from dreamfusion_engine.guidance.guidance import Behind, Guidance
from dreamfusion_engine.guidance.step_inputs import ViewRange
from dreamfusion_engine.machine.device import copied


@dataclass
class Traffic:
    """What has been carried between two devices so far, without what a step's `step_inputs` send.

    there: int, bytes to the teacher.
    back: int, bytes to the field.
    """

    there: int = 0
    back: int = 0


class _Carried(torch.autograd.Function):
    """A copy on another device, whose gradient is copied back."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, device: torch.device, traffic: Traffic, homewards: bool) -> Tensor:
        ctx.origin, ctx.traffic, ctx.homewards = tensor.device, traffic, homewards
        return _carry(tensor, device, traffic, homewards)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[override]
        return _carry(gradient, ctx.origin, ctx.traffic, not ctx.homewards), None, None, None


def _carry(tensor: Tensor, device: torch.device, traffic: Traffic, homewards: bool) -> Tensor:
    size = tensor.numel() * tensor.element_size()
    if homewards:
        traffic.back += size
    else:
        traffic.there += size
    return copied(tensor, device)


class CrossingGuidance:
    """A guidance for a training on another device: all that it is given and all that it returns is there.

    Between `seen` and `loss` or `loss_at` renders stay with the teacher.

    within: Guidance of the teacher, on the teacher's device.
    teacher: torch.device of the teacher.
    field: torch.device of the training.
    traffic: attribute, Traffic so far.
    """

    def __init__(self, within: Guidance, teacher: torch.device, field: torch.device) -> None:
        self.within = within
        self._teacher, self._field = teacher, field
        self.traffic = Traffic()
        self.together = within.together
        self.has_front = within.has_front
        self.looks_behind = within.looks_behind

    @property
    def config(self) -> GuidanceConfig:
        """The settings of the attempt."""
        return self.within.config

    @config.setter
    def config(self, settings: GuidanceConfig) -> None:
        self.within.config = settings

    @property
    def recordable(self) -> bool:
        """Whether a CUDA graph can record a step: it holds no other device."""
        return False

    def restart(self, config: GuidanceConfig, seed: int) -> None:
        """As `Guidance.restart`."""
        self.within.restart(config, seed)

    def state(self) -> dict[str, Tensor]:
        """As `Guidance.state`; the tensors are on the teacher's device."""
        return self.within.state()

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """As `Guidance.load_state`."""
        self.within.load_state(tensors)

    def model_shape(self, size: int) -> tuple[int, ...]:
        """As `Guidance.model_shape`."""
        return self.within.model_shape(size)

    def step_inputs(
        self,
        shape: Sequence[int],
        azimuth: Tensor,
        elevation: Tensor,
        shading: Shading,
        progress: float,
        generator: torch.Generator,
        part: ViewRange,
    ) -> Any:
        """As `Guidance.step_inputs`: drawn by the generator, wherever that is, and sent to the teacher."""
        return self.within.step_inputs(shape, azimuth, elevation, shading, progress, generator, part)

    def further_noises(self, step: Any) -> int:
        """As `Guidance.further_noises`."""
        return self.within.further_noises(step)

    def seen(self, images: Tensor, step: Any, behind: Behind | None = None) -> Tensor:
        """As `Guidance.seen`, of renders where the field is; the result is with the teacher, its graph with both.

        images: float32[B, 3, H, W] in [0, 1].
        step: of the same renders.
        behind: Behind of the renders.
        """
        if behind is not None and self.looks_behind:
            behind = dataclasses.replace(behind, opacity=self._there(behind.opacity), colour=self._there(behind.colour))
        else:
            behind = None
        return self.within.seen(self._there(images), step, behind)

    def loss(self, x: Tensor, step: Any) -> tuple[Tensor, Tensor]:
        """As `Guidance.loss`; loss and measures are where the field is."""
        loss, measure = self.within.loss(x, step)
        return self._home(loss), self._home(measure)

    def pull(self, x: Tensor, step: Any) -> tuple[Tensor, Tensor]:
        """As `Guidance.pull`; gradient and measures stay with the teacher."""
        return self.within.pull(x, step)

    def loss_at(self, x: Tensor, gradient: Tensor) -> Tensor:
        """As `Guidance.loss_at`; the loss is where the field is."""
        return self._home(self.within.loss_at(x, gradient))

    def score_size(self, progress: float, size: int) -> float:
        """As `Guidance.score_size`."""
        return self.within.score_size(progress, size)

    def view_contrast(self, images: Tensor, shading: Shading, generator: torch.Generator) -> float:
        """As `Guidance.view_contrast`, of renders where the field is."""
        return self.within.view_contrast(self._there(images), shading, generator)

    def prompt_gain(self, images: Tensor, azimuth: Tensor, elevation: Tensor) -> float:
        """As `Guidance.prompt_gain`, of pictures where the field is."""
        return self.within.prompt_gain(self._there(images), azimuth.cpu(), elevation.cpu())

    def _there(self, tensor: Tensor) -> Tensor:
        carried: Tensor = _Carried.apply(tensor, self._teacher, self.traffic, False)
        return carried

    def _home(self, tensor: Tensor) -> Tensor:
        carried: Tensor = _Carried.apply(tensor, self._field, self.traffic, True)
        return carried
