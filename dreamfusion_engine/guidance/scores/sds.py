"""Score distillation sampling, SDS, and what every score shares.

Add noise to a render, ask the frozen model which noise it predicts given the prompt, and move the render against the
difference. x is what the model denoises, float32[B, C, H, W]; alpha, sigma float32[B, 1, 1, 1].
Source: DreamFusion, Poole 2022, arXiv 2209.14988, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import Weighting
from dreamfusion_engine.guidance.scores.guide import Guide
from dreamfusion_engine.guidance.step_inputs import StepInputs
from dreamfusion_engine.models.noise import add_noise


def sds_residual(guided: Tensor, noise: Tensor) -> Tensor:
    """eps_hat - eps: the predicted noise less the true noise.

    guided: float32[B, C, H, W], eps_hat, guided prediction.
    noise: float32[B, C, H, W], eps, the noise that was added.
    Source: DreamFusion, arXiv 2209.14988, eq. 3.
    """
    return guided - noise


def score_weight(alpha: Tensor, sigma: Tensor, weighting: Weighting) -> Tensor:
    """w(t), shape as sigma: 1, sigma_t^2, alpha_t sigma_t or sigma_t / alpha_t.

    The pull towards the picture x_0 that the model prefers is w (eps_hat - eps) = w (alpha / sigma) (x - x_0). The
    weightings multiply x - x_0 by alpha / sigma, alpha sigma, alpha^2 and 1. The last makes the loss 1/2 |x - x_0|^2.

    alpha, sigma: float32[B, 1, 1, 1], at t; alpha > 0.
    weighting: 'uniform', 'sigma_squared', 'alpha_sigma' or 'reconstruction'.
    Source: DreamFusion, arXiv 2209.14988, App. A.2 (1 and sigma_t^2 work equally well); reconstruction: MVDream, arXiv
        2308.16512, section 3.2.
    """
    if weighting == "reconstruction":
        return sigma / alpha
    if weighting == "sigma_squared":
        return sigma.square()
    return alpha * sigma if weighting == "alpha_sigma" else torch.ones_like(sigma)


def clamp_bound(progress: float, ends: tuple[float, float]) -> float:
    """Return the bound of the residual, which moves linearly from the first of `ends` to the second.

    progress: float in [0, 1], share of training done.
    ends: bounds at the start and at the end of training; 0 for no bound.
    """
    return (1.0 - progress) * ends[0] + progress * ends[1]


def clamped_residual(residual: Tensor, bound: Tensor | None) -> Tensor:
    """Return the residual with every number within [-bound, bound].

    Public recipes let the bound grow while training goes on (0.5 to 2): strong guidance has outliers that harm a young
    object. Numbers that are not finite stay so, because they show that a prediction is broken.

    residual: float32[B, C, H, W].
    bound: float32[]; None for no bound.
    """
    if bound is None:
        return residual
    return torch.where(torch.isfinite(residual), residual.clamp(-bound, bound), residual)


def clipped_pixels(gradient: Tensor, limit: float) -> Tensor:
    """g_ij min(1, c / |g_ij|) at every pixel: keeps the direction, limits the norm over the channels to c.

    The paper clips the gradient at the pixels of the render, after the VAE's backward pass. Here it is clipped where
    the score is made, before that, so that the limit means the same for any number of views. Without a VAE, at the
    model's own size, the two are the same.

    gradient: float32[B, C, H, W], g.
    limit: float, c, not negative; 0 for no limit.
    Source: pixel-wise gradient clipping, Pan 2024, arXiv 2310.12474.
    """
    if limit == 0.0:
        return gradient
    norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
    return torch.where(norm > limit, gradient * (limit / norm), gradient)


def score_loss(x: Tensor, gradient: Tensor) -> Tensor:
    """Return a scalar of value |g|^2 / 2 whose autograd gradient with respect to x is exactly g.

    It is 1/2 |x - stopgrad(x - g)|^2 (DreamFusion's stop-gradient target form), written without the subtraction of
    nearly equal numbers, which would round g.

    x: float32[B, C, H, W], with its graph.
    gradient: float32[B, C, H, W], g.
    """
    g = gradient.detach()
    return (g * (x - x.detach())).sum() + 0.5 * g.square().sum()


def mean_score_loss(x: Tensor, gradient: Tensor) -> Tensor:
    """Return `score_loss` / (B H W), so that it weighs the same for any number and size of renders.

    x: float32[B, C, H, W], with its graph.
    gradient: float32[B, C, H, W], g.
    """
    count, _, height, width = x.shape
    return score_loss(x, gradient) / (count * height * width)


def residual(guide: Guide, x: Tensor, step: StepInputs) -> Tensor:
    """Return `sds_residual` of renders.

    guide: the model with its prompt and guidance.
    x: float32[B, C, h, w], renders as the model sees them.
    step: StepInputs of the same renders.
    """
    x_t = add_noise(x, step.noise, *guide.schedule.at(step.t))
    return sds_residual(guide.guided(x_t, step.t, step.embeddings, step.scale), step.noise)
