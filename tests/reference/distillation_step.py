"""One step of score distillation on given renders: what training does in parts, for tests that look at the loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import Shading
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.step_inputs import ViewRange
from dreamfusion_engine.models.views import View, view_of


@dataclass(frozen=True, kw_only=True)
class StepInfo:
    """What one step of score distillation saw.

    finite: bool[], whether the noise prediction was. gradient_norm: float32[B], |g| a pixel value (root mean square).
    t: int64[B]. views: the named view of each camera.
    """

    finite: Tensor
    gradient_norm: Tensor
    t: Tensor
    views: tuple[View, ...]


def distillation_step(
    scores: ScoreDistillation,
    images: Tensor,
    azimuth: Tensor,
    elevation: Tensor,
    shading: Shading,
    progress: float,
    generator: torch.Generator,
    part: ViewRange | None = None,
) -> tuple[Tensor, StepInfo]:
    """The loss of B renders, a mean over views and pixels, and what the step saw.

    images: float32[B, 3, H, W] in [0, 1], with its graph. azimuth, elevation: float32[B], radians. shading: of the
    renders. progress: share of training done, in [0, 1]. generator: draws timesteps, then noise. part: of which step
    these renders are a part; every part draws for all of them, so that each render gets what it would have got among
    the others.
    The gradient of the loss with respect to the image at the model's size h x w is g / (B h w). Where the noise
    prediction is not finite the gradient is not either, and `finite` says so: no optimizer may take such a step.
    """
    part = part or ViewRange(first=0, total=len(images))
    shape = (len(images), *scores.model_shape(images.shape[-1]))
    question = scores.step_inputs(shape, azimuth, elevation, shading, progress, generator, part)
    loss, norm = scores.loss(scores.seen(images, question), question)
    views = [view_of(a, e) for a, e in zip(azimuth.tolist(), elevation.tolist(), strict=True)]
    finite = torch.isfinite(norm).all()
    return loss, StepInfo(finite=finite, gradient_norm=norm, t=question.t, views=tuple(views))
