"""Score distillation via inversion: the noise is inferred from the render, not drawn (Lukoianov 2024, 2405.15891).

SDS draws a fresh eps in every step, so it moves towards a different picture each time; the mean of those pictures is
smooth. SDI computes the noise from which the sampler (DDIM, Song 2020, arXiv 2010.02502) would have made this render.
That noise stays the same from step to step while the render does.
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
    """x_s = alpha_s x_0(x_t, eps) + sigma_s eps: a step of DDIM without fresh noise, in either direction.

    x_t: float32[B, C, h, w], noisy picture at t.
    noise: float32[B, C, h, w], eps, the noise that the model predicts in x_t.
    here: (alpha, sigma) at t, each float32[B, 1, 1, 1].
    there: (alpha, sigma) at s, each float32[B, 1, 1, 1].
    Source: arXiv 2010.02502, eq. 12.
    """
    return add_noise(predicted_clean_image(noise, x_t, *here), noise, *there)


def inversion_timesteps(t: Tensor, steps: int) -> Tensor:
    """Return timesteps int64[steps + 1, B] from 0 to t, equally spaced for each view.

    t: int64[B], last timesteps.
    steps: int, at least 1.
    """
    share = torch.linspace(0.0, 1.0, steps + 1, dtype=torch.float64)  # on the host: not every card has float64
    return (share[:, None] * t.cpu()).round().long().to(t.device)


def inversion_steps(t: Tensor, total: int, whole: int) -> int:
    """Return the number of steps from 0 to the largest t, at least 1.

    t: int64[B], last timesteps.
    total: int, T, all timesteps.
    whole: int, steps that would lead through all T.
    """
    return max(1, math.ceil(whole * float(t.max()) / total))


def ddim_inversion(x: Tensor, t: Tensor, predict: Predict, schedule: NoiseSchedule, steps: int) -> Tensor:
    """Return x_t, float32[B, ...], from which DDIM would make x, by DDIM's steps taken backwards.

    x: float32[B, ...], renders.
    t: int64[B], timesteps to reach.
    predict: (x_t, t) to the noise that the model predicts.
    schedule: NoiseSchedule of the model.
    steps: int, number of steps; more follow the sampler's path more closely.
    """
    x_t = x
    times = inversion_timesteps(t, steps)
    for here, there in zip(times[:-1], times[1:], strict=True):
        x_t = ddim_step(x_t, predict(x_t, here), schedule.at(here), schedule.at(there))
    return x_t


def inverted_noise(x: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """kappa = (x_t - alpha_t x) / sigma_t: the noise that turns the render x into x_t.

    SDI uses it as SDS uses the true noise: the residual is eps_hat(x_t) - kappa.

    x, x_t: float32[B, C, h, w], renders and their inversion.
    alpha, sigma: float32[B, 1, 1, 1], at t; sigma > 0.
    """
    return (x_t - alpha * x) / sigma


def residual(guide: Guide, x: Tensor, step: StepInputs) -> Tensor:
    """eps_hat(x_t) - kappa of renders; the inversion uses the prompt at its own guidance scale.

    guide: the model with its prompt and guidance.
    x: float32[B, C, h, w], renders as the model sees them.
    step: StepInputs of the same renders.
    """
    scale = guide.settings.inversion_scale

    def predict(x_s: Tensor, s: Tensor) -> Tensor:
        seen = guide.predictions(x_s, s, step.embeddings)
        return seen.uncond + scale * (seen.cond - seen.uncond)

    steps = inversion_steps(step.t, len(guide.schedule), guide.settings.inversion_steps)
    x_t = ddim_inversion(x, step.t, predict, guide.schedule, steps)
    kappa = inverted_noise(x, x_t, *guide.schedule.at(step.t))
    return sds_residual(guide.guided(x_t, step.t, step.embeddings, step.scale), kappa)
