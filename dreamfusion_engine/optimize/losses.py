"""Regularisers of the field. Each is a pure function from per-ray values to a scalar. Axis letters: B views, R rays."""

from __future__ import annotations

import torch
from torch import Tensor

OPACITY_SOFTENING = 0.01  # DreamFusion, App. A.2
SMOOTHNESS_SOFTENING = 0.01  # of |n_i - n_j|^2: below a tenth the penalty is quadratic


def opacity_loss(opacity: Tensor) -> Tensor:
    """mean_r sqrt((sum w)^2 + 0.01): empty space is free, haze is not. The 0.01 keeps the gradient finite at 0.

    opacity: float32[R] in [0, 1], the sum of a ray's compositing weights.
    Source: DreamFusion, arXiv 2209.14988, App. A.2.
    """
    return torch.sqrt(opacity.square() + OPACITY_SOFTENING).mean()


def transmittance_loss(opacity: Tensor, target: Tensor) -> Tensor:
    """-mean_b min(tau, 1 - mean_r o): a picture that one sees through costs less, but no less beyond tau of it.

    It is taken a view at a time, so that a step's parts give what the whole does.

    opacity: float32[B, R] in [0, 1], o, of R rays of B views.
    target: float32[], tau in [0, 1].
    Source: Dream Fields, Jain 2021, arXiv 2112.01455, equation 6.
    """
    return -torch.minimum(1.0 - opacity.mean(1), target).mean()


def binary_entropy_loss(opacity: Tensor, margin: float = 1e-4) -> Tensor:
    """mean_r -(o log o + (1 - o) log(1 - o)) in nats: a ray should hit or miss, not half of each.

    It is the entropy of one ray's two outcomes.

    opacity: float32[R] in [0, 1], o.
    margin: float; within it of 0 and 1 the opacity counts as settled and has no gradient.
    Source: the idea of InfoNeRF, Kim 2022, arXiv 2112.15399, section 3.2.
    """
    o = opacity.clamp(margin, 1.0 - margin)
    return -(o * torch.log(o) + (1.0 - o) * torch.log1p(-o)).mean()


def smoothness_loss(normal: Tensor) -> Tensor:
    """Mean over neighbouring pixels that both show the object of sqrt(|n_i - n_j|^2 + 0.01): ripples cost, edges less.

    This is total variation of the normals. It is 0 where no two neighbours show the object.

    normal: float32[B, H, W, 3], unit, or zero where a ray meets nothing.
    Source: Rudin 1992, for the norm.
    """
    on_object = normal.detach().square().sum(dim=-1) > 0.5
    total, count = normal.new_zeros(()), normal.new_zeros(())
    for axis in (1, 2):
        size = normal.shape[axis] - 1
        apart = (normal.narrow(axis, 1, size) - normal.narrow(axis, 0, size)).square().sum(dim=-1)
        both = (on_object.narrow(axis, 1, size) & on_object.narrow(axis, 0, size)).float()
        total = total + (both * torch.sqrt(apart + SMOOTHNESS_SOFTENING)).sum()
        count = count + both.sum()
    return total / count.clamp_min(1.0)


def orientation_loss(penalty: Tensor) -> Tensor:
    """mean_r of stopgrad(w) max(0, n.v)^2: a visible surface must not face away.

    penalty: float32[R], the summand of each ray, from the renderer; zero for rays that hit nothing.
    Source: Ref-NeRF, arXiv 2112.03907, eq. 11, with DreamFusion's stop-gradient on the weights (arXiv 2209.14988, A.2).
    """
    return penalty.mean()
