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
    """d_D + s d_C (arXiv 2310.17590): towards likely pictures and the prompt, without the noise's own part.

    e_u = d_D + d_N, a correction towards likely pictures and the noise itself; d_C = e_c - e_u. At low noise d_N is
    small, so d_D = e_u. Above, d_N cancels in the difference to a prompt for bad pictures: d_D = e_u - e_bad.
    noise_uncond, noise_cond, noise_bad: e_u, e_c, e_bad, float32[B, ...], of the empty prompt, the prompt and the one
    for bad pictures. low_noise: bool[B], timesteps under CLEAN_BELOW. scale: s (7.5 in the paper).
    """
    low = low_noise.view(-1, *[1] * (noise_uncond.ndim - 1))
    likely = torch.where(low, noise_uncond, noise_uncond - noise_bad)
    return likely + scale * (noise_cond - noise_uncond)


def residual(guide: Guide, x: Tensor, step: StepInputs) -> Tensor:
    """`nfsd_residual` of renders x, float32[B, C, h, w]."""
    seen = guide.predictions(add_noise(x, step.noise, *guide.schedule.at(step.t)), step.t, step.embeddings)
    assert seen.bad is not None, "the record of this score names bad pictures"
    low_noise = step.t < int(CLEAN_BELOW * len(guide.schedule))
    return nfsd_residual(seen.uncond, seen.cond, seen.bad, low_noise, step.scale)
