"""The forward process of a diffusion model and its four ways of naming one prediction.

x_t = alpha_t x_0 + sigma_t eps. Two kinds of schedule are in use:
- variance preserving: alpha_t^2 = abar_t, sigma_t^2 = 1 - abar_t (Ho 2020, arXiv 2006.11239, eq. 4). A denoiser may be
  trained to predict eps, x_0 ("sample") or v = alpha_t eps - sigma_t x_0 (Salimans & Ho 2022, arXiv 2202.00512);
- rectified flow: alpha_t = 1 - sigma_t, and the denoiser predicts the flow u = eps - x_0, the velocity of x_t along the
  straight line from the picture to the noise (Liu 2022, arXiv 2209.03003; Esser 2024, arXiv 2403.03206, section 3).
All four say the same thing; given x_t each follows from another.

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
    """How much of x_t is signal and how much noise, at timestep index t in [0, T).

    alpha, sigma: float32[T] in [0, 1]; alpha falls and sigma rises with t.
    """

    alpha: Tensor
    sigma: Tensor

    def __len__(self) -> int:
        return len(self.alpha)

    def at(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha_t and sigma_t, each [B, 1, 1, 1], for timesteps int64[B]."""
        return self.alpha[t].view(-1, 1, 1, 1), self.sigma[t].view(-1, 1, 1, 1)

    @property
    def usable(self) -> int:
        """How many leading timesteps still hold some signal: alpha_t^2 above SMALLEST_SIGNAL."""
        return int((self.alpha.square() > SMALLEST_SIGNAL).nonzero()[-1]) + 1

    def to(self, device: torch.device) -> NoiseSchedule:
        """The same on another device."""
        return NoiseSchedule(self.alpha.to(device), self.sigma.to(device))

    @staticmethod
    def variance_preserving(alphas_cumprod: Tensor) -> NoiseSchedule:
        """alpha_t = sqrt(abar_t), sigma_t = sqrt(1 - abar_t), from abar float[T] (arXiv 2006.11239, eq. 4)."""
        return NoiseSchedule(torch.sqrt(alphas_cumprod), torch.sqrt(1.0 - alphas_cumprod))

    @staticmethod
    def rectified_flow(total: int, shift: float) -> NoiseSchedule:
        """sigma_t = k s / (1 + (k - 1) s) with s = (t + 1) / T, and alpha_t = 1 - sigma_t (arXiv 2403.03206, 5.3.2).

        total: T. shift: k >= 1, how far towards noise the timesteps are moved, more for larger pictures.
        """
        s = torch.arange(1, total + 1, dtype=torch.float64) / total
        sigma = shift * s / (1.0 + (shift - 1.0) * s)
        return NoiseSchedule((1.0 - sigma).float(), sigma.float())


def add_noise(x0: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """x_t = alpha_t x_0 + sigma_t eps (DreamFusion eq. 1 and its forward process; arXiv 2006.11239, eq. 4)."""
    return alpha * x0 + sigma * noise


def noise_from_velocity(velocity: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """eps = alpha_t v + sigma_t x_t (arXiv 2202.00512, from v = alpha eps - sigma x_0 and alpha^2 + sigma^2 = 1)."""
    return alpha * velocity + sigma * x_t


def noise_from_flow(flow: Tensor, x_t: Tensor, alpha: Tensor) -> Tensor:
    """eps = x_t + alpha_t u (from u = eps - x_0 and x_t = alpha x_0 + (1 - alpha) eps; arXiv 2403.03206, section 3)."""
    return x_t + alpha * flow


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
    """eps, whichever of the four a model predicts; a flow needs a schedule with alpha + sigma = 1."""
    if kind == "flow_prediction":
        return noise_from_flow(prediction, x_t, alpha)
    if kind == "v_prediction":
        return noise_from_velocity(prediction, x_t, alpha, sigma)
    if kind == "sample":
        return noise_from_clean(prediction, x_t, alpha, sigma)
    return prediction
