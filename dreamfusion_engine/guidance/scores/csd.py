"""Classifier score distillation: guidance alone (Yu 2023, arXiv 2310.19415)."""

from __future__ import annotations

from torch import Tensor

from dreamfusion_engine.guidance.scores.guide import Guide
from dreamfusion_engine.guidance.step_inputs import StepInputs
from dreamfusion_engine.models.noise import add_noise


def csd_residual(noise_uncond: Tensor, noise_cond: Tensor, scale: float | Tensor) -> Tensor:
    """s (e_c - e_u): the gradient of the implicit classifier log p(y | x_t), without the prior's.

    SDS with guidance s is this plus e_u - eps, the pull towards any likely picture. That pull hardly counts with s =
    100, but counts with a small s.

    noise_uncond: float32[B, ...], e_u, prediction without the prompt.
    noise_cond: float32[B, ...], e_c, prediction with the prompt.
    scale: float or float32[], s.
    Source: arXiv 2310.19415.
    """
    return scale * (noise_cond - noise_uncond)


def residual(guide: Guide, x: Tensor, step: StepInputs) -> Tensor:
    """Return `csd_residual` of renders.

    guide: the model with its prompt and guidance.
    x: float32[B, C, h, w], renders as the model sees them.
    step: StepInputs of the same renders.
    """
    seen = guide.predictions(add_noise(x, step.noise, *guide.schedule.at(step.t)), step.t, step.embeddings)
    return csd_residual(seen.uncond, seen.cond, step.scale)
