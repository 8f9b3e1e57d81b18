"""Noise-free score distillation (Katzir 2023, arXiv 2310.17590)."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.guidance.scores.guide import Guide
from dreamfusion_engine.guidance.step_inputs import StepInputs
from dreamfusion_engine.models.noise import add_noise

CLEAN_BELOW = 0.2  # share of the timesteps: t < 200 of 1000


def nfsd_residual(
    noise_uncond: Tensor, noise_cond: Tensor, noise_bad: Tensor, low_noise: Tensor, scale: float | Tensor
) -> Tensor:
    """d_D + s d_C: towards likely pictures and the prompt, without the noise's own part.

    e_u = d_D + d_N, where d_D is a correction towards likely pictures and d_N is the noise itself; d_C = e_c - e_u. At
    low noise d_N is small, so d_D = e_u. At higher noise d_N cancels in the difference to a prompt for bad pictures:
    d_D = e_u - e_bad.

    noise_uncond: float32[B, ...], e_u, prediction with the empty prompt.
    noise_cond: float32[B, ...], e_c, prediction with the prompt.
    noise_bad: float32[B, ...], e_bad, prediction with the prompt for bad pictures.
    low_noise: bool[B], whether the timestep is under CLEAN_BELOW.
    scale: float or float32[], s (7.5 in the paper).
    Source: arXiv 2310.17590.
    """
    low = low_noise.view(-1, *[1] * (noise_uncond.ndim - 1))
    likely = torch.where(low, noise_uncond, noise_uncond - noise_bad)
    return likely + scale * (noise_cond - noise_uncond)


def residual(guide: Guide, x: Tensor, step: StepInputs) -> Tensor:
    """Return `nfsd_residual` of renders.

    guide: the model with its prompt and guidance.
    x: float32[B, C, h, w], renders as the model sees them.
    step: StepInputs of the same renders.
    """
    seen = guide.predictions(add_noise(x, step.noise, *guide.schedule.at(step.t)), step.t, step.embeddings)
    assert seen.bad is not None, "the record of this score names bad pictures"
    low_noise = step.t < int(CLEAN_BELOW * len(guide.schedule))
    return nfsd_residual(seen.uncond, seen.cond, seen.bad, low_noise, step.scale)
