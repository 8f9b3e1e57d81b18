"""Score distillation sampling (DreamFusion, Poole 2022, arXiv 2209.14988, section 3), and what every score shares.

Add noise to a render, ask the frozen model which noise it sees given the prompt, and move the render against the
difference. x is what the model denoises, float32[B, C, H, W]; sigma float32[B, 1, 1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.config import Weighting


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


def score_loss(x: Tensor, gradient: Tensor) -> Tensor:
    """A scalar of value |g|^2 / 2 whose autograd gradient with respect to x is exactly g.

    It is 1/2 |x - stopgrad(x - g)|^2 (DreamFusion's stop-gradient target form) written without the subtraction of
    nearly equal numbers, which would round g.
    """
    g = gradient.detach()
    return (g * (x - x.detach())).sum() + 0.5 * g.square().sum()
