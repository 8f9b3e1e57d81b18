"""A picture sampled from the noised render takes the place of the one-step prediction (Zhu & Zhuang 2023, 2305.18766).

One prediction at high noise is the mean of all pictures that the noised render may come from: where they disagree,
about thin or far parts, it is a blur, and guidance makes halos of it. Sampling from x_t down to t = 0 decides for one
of them, and what it decides fits the render as far as x_t still shows it. The noise that would have led from x_t to
that picture at once is compared with the true noise, as in SDS.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from dreamfusion_engine.guidance.scores.guide import Guide
from dreamfusion_engine.guidance.scores.sds import sds_residual
from dreamfusion_engine.guidance.step_inputs import StepInputs
from dreamfusion_engine.models.noise import NoiseSchedule, add_noise, noise_from_clean, predicted_clean_image

Predict = Callable[[Tensor, Tensor], Tensor]  # x_t float32[B, ...], t int64[B] -> guided noise, as x_t


def sampling_steps(highest: float, whole: int) -> int:
    """How many steps lead from the share `highest` of the timesteps to none, when `whole` would lead from the last."""
    return max(1, math.ceil(whole * highest))


def sampling_timesteps(t: Tensor, steps: int) -> Tensor:
    """Timesteps int64[steps, B] that fall from t, equally spaced for each view; 0 would come next."""
    left = torch.arange(steps, 0, -1, device=t.device)[:, None]
    return (left * t).div(steps, rounding_mode="floor")


def ancestral_step(
    x_t: Tensor, noise: Tensor, fresh: Tensor, here: tuple[Tensor, Tensor], there: tuple[Tensor, Tensor]
) -> Tensor:
    """x_s ~ q(x_s | x_t, x_0) for the x_0 that `noise` stands for, s < t, with `fresh` standard normal noise.

    The variance is sigma_s^2 (1 - (alpha_t sigma_s / (alpha_s sigma_t))^2), for any schedule (Kingma 2021, arXiv
    2107.00630, eq. 25-26); on a variance-preserving one this is DDPM's sampler (arXiv 2006.11239, eq. 7). here, there:
    (alpha, sigma) at t and s, each float32[B, 1, 1, 1].
    """
    (alpha_t, sigma_t), (alpha_s, sigma_s) = here, there
    kept = alpha_t * sigma_s / (alpha_s * sigma_t)  # correlation of the noise before and after
    clean = predicted_clean_image(noise, x_t, alpha_t, sigma_t)
    return alpha_s * clean + sigma_s * (kept * noise + (1.0 - kept.square()).clamp_min(0.0).sqrt() * fresh)


def sampled_image(x_t: Tensor, t: Tensor, predict: Predict, schedule: NoiseSchedule, fresh: Tensor) -> Tensor:
    """x_0 float32[B, ...] sampled from x_t in one step more than `fresh` float32[N - 1, B, ...] has noises."""
    times = sampling_timesteps(t, len(fresh) + 1)
    for here, there, drawn in zip(times[:-1], times[1:], fresh, strict=True):
        x_t = ancestral_step(x_t, predict(x_t, here), drawn, schedule.at(here), schedule.at(there))
    return predicted_clean_image(predict(x_t, times[-1]), x_t, *schedule.at(times[-1]))


def residual(guide: Guide, x: Tensor, step: StepInputs) -> Tensor:
    """The noise that leads to the sampled picture, less the true noise, of renders x, float32[B, C, h, w]."""
    assert step.fresh is not None, "the record of this score draws more noise"
    alpha, sigma = guide.schedule.at(step.t)
    x_t = add_noise(x, step.noise, alpha, sigma)
    weak = 1.0 + guide.settings.sampling_guidance * (step.scale - 1.0)

    def predict(x_s: Tensor, s: Tensor) -> Tensor:
        return guide.guided(x_s, s, step.embeddings, weak)

    clean = sampled_image(x_t, step.t, predict, guide.schedule, step.fresh)
    return sds_residual(noise_from_clean(clean, x_t, alpha, sigma), step.noise)
