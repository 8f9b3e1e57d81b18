"""Perp-Neg: pushes away what other views' prompts ask for, where this does not contradict the view's own prompt.

An ordinary negative prompt also removes what both prompts share, the object. Its part perpendicular to the positive
direction does not. Images are float32[B, ...]; angles radians.
Source: Armandpour 2023, arXiv 2304.04968.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.guidance.view_weights import overhead_share, side_on_turn

# f(r) = a exp(-b r) + c, the form of arXiv 2304.04968 for weights that depend on the view, with constants in common use
# in public implementations of it. The first three fall to 0 where the positive prompt is that view itself.
FRONT_OF_SIDE = (4.0, 0.5, -2.426)  # front against a view between front (r = 1) and side (r = 0)
SIDE_OF_FRONT = (4.0, 0.5, -2.426)  # side against the same view, r from the other end
SIDE_OF_BACK = (1.0, 0.5, -0.606)  # side against a view between side (r = 1) and back (r = 0)
FRONT_OF_BACK = (1.0, 0.5, 0.967)  # front against the same view: never 0, because fronts on backs are the common fault


def perpendicular(v: Tensor, along: Tensor) -> Tensor:
    """v - (v.a / a.a) a: the part of v perpendicular to a, per view; v itself where a = 0.

    v: float32[B, ...].
    along: float32[B, ...], a.
    Source: arXiv 2304.04968.
    """
    axes = tuple(range(1, v.ndim))
    length = along.square().sum(dim=axes, keepdim=True)
    share = (v * along).sum(dim=axes, keepdim=True) / torch.where(length > 0.0, length, torch.ones_like(length))
    return v - share * along


def perp_neg_noise(noise_uncond: Tensor, noise_cond: Tensor, negatives: Tensor, weights: Tensor) -> Tensor:
    """e_c + sum_i w_i perp(e_i - e_u; e_c - e_u): the conditional prediction of Perp-Neg.

    Guided by the scale s it gives the paper's e_u + s (d + sum_i w_i d_i_perp).

    noise_uncond: float32[B, ...], e_u, prediction without the prompt.
    noise_cond: float32[B, ...], e_c, prediction with the prompt.
    negatives: float32[N, B, ...], e_i, predictions with the negative prompts.
    weights: float32[N, B], w_i, not positive.
    Source: arXiv 2304.04968.
    """
    direction = noise_cond - noise_uncond
    total = noise_cond
    for noise, weight in zip(negatives, weights, strict=True):
        share = weight.view(-1, *[1] * (direction.ndim - 1))
        total = total + share * perpendicular(noise - noise_uncond, direction)
    return total


def view_negatives(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Return weights float32[2, B], not positive, of the front's and of the side's prompt against each camera's own.

    Between front and side, both prompts push away from what lies at the other end. Towards the back, the front is
    always pushed away. The weights fade out overhead, where sides are not seen.

    azimuth, elevation: float32[B], radians.
    """
    turn = side_on_turn(azimuth)
    ahead = turn < 1.0  # between front and side
    from_side = torch.where(ahead, 1.0 - turn, 2.0 - turn)  # r in [0, 1]: 1 front (or side), 0 side (or back)
    front = torch.where(ahead, _decay(FRONT_OF_SIDE, from_side), _decay(FRONT_OF_BACK, from_side))
    side = torch.where(ahead, _decay(SIDE_OF_FRONT, 1.0 - from_side), _decay(SIDE_OF_BACK, from_side))
    return -torch.stack([front, side]).clamp(min=0.0) * (1.0 - overhead_share(elevation))


def _decay(shape: tuple[float, float, float], r: Tensor) -> Tensor:
    a, b, c = shape
    return a * torch.exp(-b * r) + c
