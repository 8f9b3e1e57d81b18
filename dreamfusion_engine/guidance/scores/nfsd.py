"""Noise-free score distillation (Katzir 2023, arXiv 2310.17590)."""

from __future__ import annotations

import torch
from torch import Tensor

CLEAN_BELOW = 0.2  # share of the timesteps: t < 200 of 1000
# The paper's words for unlikely pictures, for models with an open vocabulary.
OUT_OF_DISTRIBUTION = (
    "unrealistic, blurry, low quality, out of focus, ugly, low contrast, dull, dark, low-resolution, gloomy"
)


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
