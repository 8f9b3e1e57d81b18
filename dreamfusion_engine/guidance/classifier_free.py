"""Classifier-free guidance: combines the predictions with and without the prompt into one.

Noise predictions are float32[B, C, H, W]; alpha and sigma float32[B, 1, 1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GuidanceConfig
from dreamfusion_engine.models.noise import noise_from_clean, predicted_clean_image


def classifier_free_guidance(noise_uncond: Tensor, noise_cond: Tensor, scale: float | Tensor) -> Tensor:
    """eps = e_u + w (e_c - e_u). w = 0 ignores the prompt, w = 1 follows it, a larger w exaggerates it.

    noise_uncond: float32[B, C, H, W], e_u, prediction without the prompt.
    noise_cond: float32[B, C, H, W], e_c, prediction with the prompt.
    scale: float or float32[], w.
    Source: Ho & Salimans 2022, arXiv 2207.12598, eq. 6, with w here = 1 + w there.
    """
    return noise_uncond + scale * (noise_cond - noise_uncond)


def rescale_guidance(guided: Tensor, cond: Tensor, share: float, group: int = 1) -> Tensor:
    """phi guided std(cond) / std(guided) + (1 - phi) guided, against over-saturation.

    The standard deviations are over all axes but B, and over the views of a group together. A constant prediction has
    no spread to match and is kept.

    guided: float32[B, ...], guided prediction of the clean image.
    cond: float32[B, ...], conditional prediction of the clean image.
    share: float in [0, 1], phi.
    group: int, views in a row that are judged together; it divides B.
    Source: arXiv 2305.08891, eq. 15-16; over a group of views: arXiv 2308.16512, section 3.2.
    """
    axes = tuple(range(1, guided.ndim))
    guided_groups, cond_groups = (x.reshape(len(x) // group, -1, *x.shape[2:]) for x in (guided, cond))
    spread = guided_groups.std(dim=axes, keepdim=True)
    factor = torch.where(spread > 0.0, cond_groups.std(dim=axes, keepdim=True) / spread, torch.ones_like(spread))
    return (share * factor.repeat_interleave(group, 0) + (1.0 - share)) * guided


def guided_noise(
    noise_uncond: Tensor,
    noise_cond: Tensor,
    x_t: Tensor,
    alpha: Tensor,
    sigma: Tensor,
    *,
    scale: float | Tensor,
    rescale: float,
    group: int = 1,
) -> Tensor:
    """Return the guided noise with its clean image rescaled: what SDS compares with the true noise.

    noise_uncond, noise_cond: float32[B, C, H, W], predictions without and with the prompt.
    x_t: float32[B, C, H, W], noisy renders.
    alpha, sigma: float32[B, 1, 1, 1], at t.
    scale: float or float32[], guidance scale w.
    rescale: float in [0, 1], share phi of `rescale_guidance`.
    group: int, views in a row that are judged together.
    """
    guided = classifier_free_guidance(noise_uncond, noise_cond, scale)
    if rescale == 0.0:
        return guided
    clean = predicted_clean_image(guided, x_t, alpha, sigma)
    cond = predicted_clean_image(noise_cond, x_t, alpha, sigma)
    return noise_from_clean(rescale_guidance(clean, cond, rescale, group), x_t, alpha, sigma)


def guidance_scale(progress: float, config: GuidanceConfig) -> float:
    """Return w: `scale` until `anneal_until`, from there linearly to 1 + (scale - 1) scale_kept at the end of training.

    Strong guidance finds the shape, but exaggerates: at low noise, where colours are decided, it makes colours that no
    picture has. Weak guidance from the start, or from the middle on, loses thin parts. (Guidance at a part of the noise
    levels only: Kynkaanniemi 2024, arXiv 2404.07724.)

    progress: float in [0, 1], share of training done.
    config: GuidanceConfig.
    """
    late = 1.0 - config.anneal_until
    share = min(max((progress - config.anneal_until) / late, 0.0), 1.0) if late > 0.0 else 0.0
    return 1.0 + (config.scale - 1.0) * (1.0 - share + share * config.scale_kept)
