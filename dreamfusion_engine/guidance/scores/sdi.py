"""Score distillation via inversion: the noise is inferred from the render, not drawn (Lukoianov 2024, 2405.15891).

SDS takes a fresh eps in every step, so that the picture it moves towards is another one each time, and the mean of
them is smooth. SDI takes the noise from which the sampler itself (DDIM, Song 2020, arXiv 2010.02502) would have come to
this render: it is the same from step to step as long as the render is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from dreamfusion_engine.guidance.scores.guide import Guide
from dreamfusion_engine.guidance.scores.sds import sds_residual
from dreamfusion_engine.guidance.step_inputs import StepInputs
from dreamfusion_engine.models.noise import NoiseSchedule, add_noise, predicted_clean_image

Predict = Callable[[Tensor, Tensor], Tensor]  # x_t float32[B, ...], t int64[B] -> noise, as x_t


def ddim_step(x_t: Tensor, noise: Tensor, here: tuple[Tensor, Tensor], there: tuple[Tensor, Tensor]) -> Tensor:
    """x_s = alpha_s x_0(x_t, eps) + sigma_s eps: DDIM without fresh noise, in either direction (2010.02502, eq. 12).

    here, there: (alpha, sigma) at t and s, each float32[B, 1, 1, 1].
    """
    return add_noise(predicted_clean_image(noise, x_t, *here), noise, *there)


def inversion_timesteps(t: Tensor, steps: int) -> Tensor:
    """Timesteps int64[steps + 1, B] from 0 to t, equally spaced for each view."""
    share = torch.linspace(0.0, 1.0, steps + 1, device=t.device, dtype=torch.float64)
    return (share[:, None] * t).round().long()


def inversion_steps(t: Tensor, total: int, whole: int) -> int:
    """How many steps lead to the largest t, when `whole` of them would lead through all `total` timesteps."""
    return max(1, math.ceil(whole * float(t.max()) / total))


def ddim_inversion(x: Tensor, t: Tensor, predict: Predict, schedule: NoiseSchedule, steps: int) -> Tensor:
    """x_t float32[B, ...] from which DDIM would come to x: its steps, taken backwards.

    x: float32[B, ...]. t: int64[B]. predict: the noise that the model sees. steps: how many; more follow the sampler's
    path more closely.
    """
    x_t = x
    times = inversion_timesteps(t, steps)
    for here, there in zip(times[:-1], times[1:], strict=True):
        x_t = ddim_step(x_t, predict(x_t, here), schedule.at(here), schedule.at(there))
    return x_t


def inverted_noise(x: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """kappa = (x_t - alpha_t x) / sigma_t: the noise that turns the render x into x_t.

    What the true noise is to SDS, it is to SDI: the residual is eps_hat(x_t) - kappa. Needs sigma_t > 0.
    """
    return (x_t - alpha * x) / sigma


def residual(guide: Guide, x: Tensor, step: StepInputs) -> Tensor:
    """eps_hat(x_t) - kappa, of renders x, float32[B, C, h, w]; inverted with the prompt at its own guidance."""
    scale = guide.settings.inversion_scale

    def predict(x_s: Tensor, s: Tensor) -> Tensor:
        seen = guide.predictions(x_s, s, step.embeddings)
        return seen.uncond + scale * (seen.cond - seen.uncond)

    steps = inversion_steps(step.t, len(guide.schedule), guide.settings.inversion_steps)
    x_t = ddim_inversion(x, step.t, predict, guide.schedule, steps)
    kappa = inverted_noise(x, x_t, *guide.schedule.at(step.t))
    return sds_residual(guide.guided(x_t, step.t, step.embeddings, step.scale), kappa)
