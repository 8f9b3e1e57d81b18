"""Score distillation sampling (DreamFusion, Poole 2022, arXiv 2209.14988, section 3), and what every score shares.

Add noise to a render, ask the frozen model which noise it sees given the prompt, and move the render against the
difference. x is what the model denoises, float32[B, C, H, W]; sigma float32[B, 1, 1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import Weighting
from dreamfusion_engine.guidance.scores.guide import Guide
from dreamfusion_engine.guidance.step_inputs import StepInputs
from dreamfusion_engine.models.noise import add_noise


def sds_residual(guided: Tensor, noise: Tensor) -> Tensor:
    """eps_hat - eps: what the model sees less what is there (DreamFusion, eq. 3)."""
    return guided - noise


def score_weight(alpha: Tensor, sigma: Tensor, weighting: Weighting) -> Tensor:
    """w(t), shape as sigma: 1, sigma_t^2 (DreamFusion, App. A.2: both work as well) or alpha_t sigma_t.

    As a pull towards the picture that the model would rather see, w (eps_hat - eps) = w (alpha / sigma) (x - x_0), they
    weigh x - x_0 by alpha / sigma, alpha sigma and alpha^2.
    """
    if weighting == "sigma_squared":
        return sigma.square()
    return alpha * sigma if weighting == "alpha_sigma" else torch.ones_like(sigma)


def clamp_bound(progress: float, ends: tuple[float, float]) -> float:
    """Where the residual is clamped: from the first of `ends` to the second, linearly. progress: of training."""
    return (1.0 - progress) * ends[0] + progress * ends[1]


def clamped_residual(residual: Tensor, bound: Tensor | None) -> Tensor:
    """Every number of a residual float32[B, C, H, W] within [-bound, bound]. bound: float32[], None: no bound.

    Public recipes let it grow while training goes on (0.5 to 2): strong guidance has outliers that a young object does
    not bear. What is not finite stays so, because that is how a broken prediction is told.
    """
    if bound is None:
        return residual
    return torch.where(torch.isfinite(residual), residual.clamp(-bound, bound), residual)


def clipped_pixels(gradient: Tensor, limit: float) -> Tensor:
    """g_ij min(1, c / |g_ij|) at every pixel: its direction kept, its norm over the channels at most c = limit; 0: any.

    Pixel-wise gradient clipping (Pan 2024, arXiv 2310.12474). The paper clips what arrives at the pixels of the
    render, after the VAE's way back; here it is clipped where the score is made, before it, so that the limit means the
    same for any number of views. Without a VAE, at the model's own size, both are one. gradient: float32[B, C, H, W].
    """
    if limit == 0.0:
        return gradient
    norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
    return torch.where(norm > limit, gradient * (limit / norm), gradient)


def score_loss(x: Tensor, gradient: Tensor) -> Tensor:
    """A scalar of value |g|^2 / 2 whose autograd gradient with respect to x is exactly g.

    It is 1/2 |x - stopgrad(x - g)|^2 (DreamFusion's stop-gradient target form) written without the subtraction of
    nearly equal numbers, which would round g.
    """
    g = gradient.detach()
    return (g * (x - x.detach())).sum() + 0.5 * g.square().sum()


def mean_score_loss(x: Tensor, gradient: Tensor) -> Tensor:
    """`score_loss` over the number of renders' pixels, B H W, so that it weighs the same for any number and size."""
    count, _, height, width = x.shape
    return score_loss(x, gradient) / (count * height * width)


def residual(guide: Guide, x: Tensor, step: StepInputs) -> Tensor:
    """`sds_residual` of renders x, float32[B, C, h, w]."""
    x_t = add_noise(x, step.noise, *guide.schedule.at(step.t))
    return sds_residual(guide.guided(x_t, step.t, step.embeddings, step.scale), step.noise)
