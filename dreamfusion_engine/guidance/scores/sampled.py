"""A picture sampled from the noised render replaces the one-step prediction (Zhu & Zhuang 2023, arXiv 2305.18766).

One prediction at high noise is the mean of all pictures that the noised render may come from. Where they disagree,
about thin or far parts, the mean is a blur, and guidance makes halos of it. Sampling from x_t down to t = 0 decides
for one picture, which fits the render as far as x_t still shows it. The noise that leads from x_t to that picture in
one step is compared with the true noise, as in SDS.
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
    """Return the number of steps from the highest timestep down to 0, at least 1.

    highest: float in [0, 1], share of T to start from.
    whole: int, steps that would lead down from T.
    """
    return max(1, math.ceil(whole * highest))


def sampling_timesteps(t: Tensor, steps: int) -> Tensor:
    """Return timesteps int64[steps, B] that fall from t, equally spaced for each view; 0 would come next.

    t: int64[B], first timesteps.
    steps: int, at least 1.
    """
    left = torch.arange(steps, 0, -1, device=t.device)[:, None]
    return (left * t).div(steps, rounding_mode="floor")


def ancestral_step(
    x_t: Tensor, noise: Tensor, fresh: Tensor, here: tuple[Tensor, Tensor], there: tuple[Tensor, Tensor]
) -> Tensor:
    """x_s ~ q(x_s | x_t, x_0), s < t, for the x_0 that `noise` stands for.

    The variance is sigma_s^2 (1 - (alpha_t sigma_s / (alpha_s sigma_t))^2), for any schedule. On a variance-preserving
    schedule this is DDPM's sampler.

    x_t: float32[B, C, h, w], noisy picture at t.
    noise: float32[B, C, h, w], the noise predicted in x_t.
    fresh: float32[B, C, h, w], standard normal.
    here: (alpha, sigma) at t, each float32[B, 1, 1, 1].
    there: (alpha, sigma) at s, each float32[B, 1, 1, 1].
    Source: Kingma 2021, arXiv 2107.00630, eq. 25-26; DDPM: arXiv 2006.11239, eq. 7.
    """
    (alpha_t, sigma_t), (alpha_s, sigma_s) = here, there
    kept = alpha_t * sigma_s / (alpha_s * sigma_t)  # correlation of the noise before and after
    clean = predicted_clean_image(noise, x_t, alpha_t, sigma_t)
    return alpha_s * clean + sigma_s * (kept * noise + (1.0 - kept.square()).clamp_min(0.0).sqrt() * fresh)


def sampled_image(x_t: Tensor, t: Tensor, predict: Predict, schedule: NoiseSchedule, fresh: Tensor) -> Tensor:
    """Return x_0, float32[B, ...], sampled from x_t in N steps.

    x_t: float32[B, ...], noisy pictures.
    t: int64[B], their timesteps.
    predict: (x_t, t) to the guided noise, as x_t.
    schedule: NoiseSchedule of the model.
    fresh: float32[N - 1, B, ...], standard normal, one for each step but the last.
    """
    times = sampling_timesteps(t, len(fresh) + 1)
    for here, there, drawn in zip(times[:-1], times[1:], fresh, strict=True):
        x_t = ancestral_step(x_t, predict(x_t, here), drawn, schedule.at(here), schedule.at(there))
    return predicted_clean_image(predict(x_t, times[-1]), x_t, *schedule.at(times[-1]))


def residual(guide: Guide, x: Tensor, step: StepInputs) -> Tensor:
    """Return the noise that leads to the sampled picture, less the true noise, of renders.

    guide: the model with its prompt and guidance.
    x: float32[B, C, h, w], renders as the model sees them.
    step: StepInputs of the same renders, with `fresh` noise.
    """
    assert step.fresh is not None, "the record of this score draws more noise"
    alpha, sigma = guide.schedule.at(step.t)
    x_t = add_noise(x, step.noise, alpha, sigma)
    weak = 1.0 + guide.settings.sampling_guidance * (step.scale - 1.0)

    def predict(x_s: Tensor, s: Tensor) -> Tensor:
        return guide.guided(x_s, s, step.embeddings, weak)

    clean = sampled_image(x_t, step.t, predict, guide.schedule, step.fresh)
    return sds_residual(noise_from_clean(clean, x_t, alpha, sigma), step.noise)
