"""The forward process of a diffusion model, and four ways to name one prediction.

x_t = alpha_t x_0 + sigma_t eps. Two kinds of schedule are in use:
- variance preserving: alpha_t^2 = abar_t, sigma_t^2 = 1 - abar_t (Ho 2020, arXiv 2006.11239, eq. 4). A denoiser may be
  trained to predict eps, x_0 ("sample") or v = alpha_t eps - sigma_t x_0 (Salimans & Ho 2022, arXiv 2202.00512);
- rectified flow: alpha_t = 1 - sigma_t, and the denoiser predicts the flow u = eps - x_0, the velocity of x_t along the
  straight line from the picture to the noise (Liu 2022, arXiv 2209.03003; Esser 2024, arXiv 2403.03206, section 3).
Given x_t, each of the four follows from another.

alpha and sigma are float[B, 1, 1, 1]; images float[B, C, H, W].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

PredictionType = Literal["epsilon", "v_prediction", "sample", "flow_prediction"]
SMALLEST_SIGNAL = 1e-5  # alpha^2; a schedule may end at 0, where a noise prediction says nothing about the picture


@dataclass(frozen=True)
class NoiseSchedule:
    """The shares of signal and noise in x_t, at timestep index t in [0, T).

    alpha: float32[T] in [0, 1], share of signal; falls with t.
    sigma: float32[T] in [0, 1], share of noise; rises with t.
    """

    alpha: Tensor
    sigma: Tensor

    def __len__(self) -> int:
        return len(self.alpha)

    def at(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha_t and sigma_t, each [B, 1, 1, 1].

        t: int64[B] in [0, T), timesteps.
        """
        return self.alpha[t].view(-1, 1, 1, 1), self.sigma[t].view(-1, 1, 1, 1)

    @property
    def usable(self) -> int:
        """The number of leading timesteps that still hold some signal: alpha_t^2 above SMALLEST_SIGNAL."""
        return int((self.alpha.square() > SMALLEST_SIGNAL).nonzero()[-1]) + 1

    def to(self, device: torch.device) -> NoiseSchedule:
        """Return the same schedule on another device."""
        return NoiseSchedule(self.alpha.to(device), self.sigma.to(device))

    @staticmethod
    def variance_preserving(alphas_cumprod: Tensor) -> NoiseSchedule:
        """alpha_t = sqrt(abar_t), sigma_t = sqrt(1 - abar_t).

        alphas_cumprod: float[T] in [0, 1], abar.
        Source: arXiv 2006.11239, eq. 4.
        """
        return NoiseSchedule(torch.sqrt(alphas_cumprod), torch.sqrt(1.0 - alphas_cumprod))

    @staticmethod
    def rectified_flow(total: int, shift: float) -> NoiseSchedule:
        """sigma_t = k s / (1 + (k - 1) s) with s = (t + 1) / T, and alpha_t = 1 - sigma_t.

        total: int, T.
        shift: float, k >= 1; moves the timesteps towards noise, more for larger pictures.
        Source: arXiv 2403.03206, section 5.3.2.
        """
        s = torch.arange(1, total + 1, dtype=torch.float64) / total
        sigma = shift * s / (1.0 + (shift - 1.0) * s)
        return NoiseSchedule((1.0 - sigma).float(), sigma.float())


def add_noise(x0: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """x_t = alpha_t x_0 + sigma_t eps.

    x0: float[B, C, H, W], clean images.
    noise: float[B, C, H, W], eps, standard normal.
    alpha, sigma: float[B, 1, 1, 1], at t.
    Source: DreamFusion, arXiv 2209.14988, eq. 1 and its forward process; arXiv 2006.11239, eq. 4.
    """
    return alpha * x0 + sigma * noise


def noise_from_velocity(velocity: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """eps = alpha_t v + sigma_t x_t, from v = alpha eps - sigma x_0 and alpha^2 + sigma^2 = 1.

    velocity: float[B, C, H, W], v.
    x_t: float[B, C, H, W], noisy images.
    alpha, sigma: float[B, 1, 1, 1], at t.
    Source: arXiv 2202.00512.
    """
    return alpha * velocity + sigma * x_t


def noise_from_flow(flow: Tensor, x_t: Tensor, alpha: Tensor) -> Tensor:
    """eps = x_t + alpha_t u, from u = eps - x_0 and x_t = alpha x_0 + (1 - alpha) eps.

    flow: float[B, C, H, W], u.
    x_t: float[B, C, H, W], noisy images.
    alpha: float[B, 1, 1, 1], at t.
    Source: arXiv 2403.03206, section 3.
    """
    return x_t + alpha * flow


def noise_from_clean(x0: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """eps = (x_t - alpha_t x_0) / sigma_t.

    x0: float[B, C, H, W], clean images.
    x_t: float[B, C, H, W], noisy images.
    alpha, sigma: float[B, 1, 1, 1], at t; sigma > 0.
    Source: arXiv 2006.11239, eq. 4 solved for eps.
    """
    return (x_t - alpha * x0) / sigma


def predicted_clean_image(noise: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """x_0 = (x_t - sigma_t eps) / alpha_t: the picture that a noise prediction implies.

    noise: float[B, C, H, W], eps.
    x_t: float[B, C, H, W], noisy images.
    alpha, sigma: float[B, 1, 1, 1], at t; alpha > 0.
    Source: arXiv 2006.11239, eq. 15.
    """
    return (x_t - sigma * noise) / alpha


def noise_from_prediction(
    prediction: Tensor, prediction_type: PredictionType, x_t: Tensor, alpha: Tensor, sigma: Tensor
) -> Tensor:
    """Return eps from any of the four predictions.

    prediction: float[B, C, H, W].
    prediction_type: what is predicted; a flow needs a schedule with alpha + sigma = 1.
    x_t: float[B, C, H, W], noisy images.
    alpha, sigma: float[B, 1, 1, 1], at t.
    """
    if prediction_type == "flow_prediction":
        return noise_from_flow(prediction, x_t, alpha)
    if prediction_type == "v_prediction":
        return noise_from_velocity(prediction, x_t, alpha, sigma)
    if prediction_type == "sample":
        return noise_from_clean(prediction, x_t, alpha, sigma)
    return prediction
