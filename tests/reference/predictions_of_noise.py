"""What models of other kinds would have to predict for a noise: inverses of what `guidance.noise` computes."""

from __future__ import annotations

from torch import Tensor


def velocity_from_noise(noise: Tensor, x_t: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """v = (eps - sigma_t x_t) / alpha_t (arXiv 2202.00512). Needs alpha_t > 0."""
    return (noise - sigma * x_t) / alpha


def flow_from_noise(noise: Tensor, x_t: Tensor, alpha: Tensor) -> Tensor:
    """u = (eps - x_t) / alpha_t (arXiv 2403.03206, section 3). Needs alpha_t > 0."""
    return (noise - x_t) / alpha
