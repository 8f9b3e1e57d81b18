"""The forward process of a diffusion model and its three ways of naming one prediction.

x_t = alpha_t x_0 + sigma_t eps, with alpha_t^2 = abar_t and sigma_t^2 = 1 - abar_t (variance preserving; Ho 2020,
arXiv 2006.11239, eq. 4). A denoiser may be trained to predict eps, x_0 ("sample") or v = alpha_t eps - sigma_t x_0
(Salimans & Ho 2022, arXiv 2202.00512, section 4). All three say the same thing; given x_t each follows from another.

alpha and sigma are float[B, 1, 1, 1]; images float[B, C, H, W].
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

PredictionType = Literal["epsilon", "v_prediction", "sample"]


def alpha_sigma(alphas_cumprod: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """alpha_t = sqrt(abar_t) and sigma_t = sqrt(1 - abar_t), each float32[B, 1, 1, 1] (arXiv 2006.11239, eq. 4).

    alphas_cumprod: float32[T], abar. t: int64[B], timesteps in [0, T).
    """
    abar = alphas_cumprod[t].view(-1, 1, 1, 1)
    return torch.sqrt(abar), torch.sqrt(1.0 - abar)


def add_noise(x0: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """x_t = alpha_t x_0 + sigma_t eps (DreamFusion eq. 1 and its forward process; arXiv 2006.11239, eq. 4)."""
    return alpha * x0 + sigma * noise


def noise_from_velocity(velocity: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """eps = alpha_t v + sigma_t x_t (arXiv 2202.00512, from v = alpha eps - sigma x_0 and alpha^2 + sigma^2 = 1)."""
    return alpha * velocity + sigma * x_t


def velocity_from_noise(noise: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """v = (eps - sigma_t x_t) / alpha_t (arXiv 2202.00512). Needs alpha_t > 0."""
    return (noise - sigma * x_t) / alpha


def noise_from_clean(x0: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """eps = (x_t - alpha_t x_0) / sigma_t (arXiv 2006.11239, eq. 4 solved for eps). Needs sigma_t > 0."""
    return (x_t - alpha * x0) / sigma


def predicted_clean_image(noise: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """x_0 = (x_t - sigma_t eps) / alpha_t, the picture a noise prediction stands for (arXiv 2006.11239, eq. 15).

    Needs alpha_t > 0.
    """
    return (x_t - sigma * noise) / alpha


def noise_from_prediction(
    prediction: Tensor, kind: PredictionType, x_t: Tensor, alpha: Tensor, sigma: Tensor
) -> Tensor:
    """eps, whichever of the three a model predicts."""
    if kind == "v_prediction":
        return noise_from_velocity(prediction, x_t, alpha, sigma)
    if kind == "sample":
        return noise_from_clean(prediction, x_t, alpha, sigma)
    return prediction
