"""A teacher that is exactly right: the optimal denoiser of a Gaussian mixture of images, in closed form.

If x_0 ~ sum_k pi_k N(mu_k, s^2 I) then x_t ~ sum_k pi_k N(alpha mu_k, v I) with v = alpha^2 s^2 + sigma^2, and the best
prediction of the noise is eps = -sigma grad log p_t(x_t) = sigma sum_k r_k (x_t - alpha mu_k) / v, where r_k is the
posterior share of mode k. Score distillation with it has a known gradient and known ends.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dreamfusion_engine.models.noise import NoiseSchedule
from dreamfusion_engine.models.teacher import Conditioning


def cosine_alphas_cumprod(total: int = 1000) -> Tensor:
    """abar of the squared-cosine schedule (Nichol & Dhariwal 2021, arXiv 2102.09672, eq. 17), float32[T]."""
    t = (torch.arange(total, dtype=torch.float64) + 1.0) / total
    f = torch.cos((t + 0.008) / 1.008 * math.pi / 2).square()
    return (f / math.cos(0.008 / 1.008 * math.pi / 2) ** 2).clamp(1e-4, 0.9999).float()


class GaussianTeacher:
    """The optimal denoiser of a mixture, as a Teacher.

    means: float32[M, 3, h, h] in [-1, 1]. spread: s. prompts: text -> shares of the modes; a text is looked up by its
    part before the first comma, so that view words do not matter; "" and unknown texts mean every mode alike.
    """

    def __init__(self, means: Tensor, spread: float, prompts: dict[str, list[float]] | None = None) -> None:
        self.device = torch.device("cpu")
        self.means = means
        self.spread = spread
        self.image_size = means.shape[-1]
        self.schedule = NoiseSchedule.variance_preserving(cosine_alphas_cumprod())
        self.denoiser: nn.Module = nn.Identity()
        self.prompts = prompts or {}
        self.asked: list[str] = []
        self.calls = 0

    def encode_prompts(self, prompts: list[str]) -> Conditioning:
        self.asked = list(prompts)
        everything = [1.0 / len(self.means)] * len(self.means)
        shares = torch.tensor([self.prompts.get(text.split(",")[0], everything) for text in prompts])
        return Conditioning(tokens=shares[:, None, :])

    def to_model_space(self, image: Tensor, posterior: Tensor | None = None) -> Tensor:
        return 2.0 * image - 1.0

    def log_density(self, x_t: Tensor, t: Tensor, shares: Tensor) -> Tensor:
        """log p_t(x_t), up to a constant that depends on t only, float[B]; shares: float[B, M]."""
        alpha, sigma = (level.to(x_t.dtype) for level in self.schedule.at(t))
        variance = (alpha**2 * self.spread**2 + sigma**2).view(-1)
        away = x_t[:, None] - alpha[:, None] * self.means[None].to(x_t.dtype)
        exponent = -0.5 * away.square().sum(dim=(2, 3, 4)) / variance[:, None]
        return torch.logsumexp(exponent + shares.to(x_t.dtype).log(), dim=1)

    def predict_noise(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        self.calls += 1
        x = x_t.double()
        alpha, sigma = (level.double() for level in self.schedule.at(t))
        variance = alpha**2 * self.spread**2 + sigma**2
        away = x[:, None] - alpha[:, None] * self.means[None].double()
        exponent = -0.5 * away.square().sum(dim=(2, 3, 4)) / variance.view(-1, 1)
        posterior = torch.softmax(exponent + conditioning.tokens[:, 0].double().log(), dim=1)
        mean_away = (posterior[:, :, None, None, None] * away).sum(dim=1)
        return (sigma * mean_away / variance).float()
