"""The colours of a surface that is refined: what its texture showed at first, changed by a field in space.

The texture keeps its finest details and what no camera sees; the field is the same on both sides of a seam.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dreamfusion_engine.field.radiance import RadianceField
from dreamfusion_engine.render.surface.texture import sample_texture

_PURE = 0.02  # colours nearer than that to 0 or 1 change as if they were as far, so that they can change at all

EDGE = 0.04  # sRGB: a step between samples that is more is an edge


def change_nothing(field: RadianceField) -> None:
    """Set a fresh field's albedo to 1/2 everywhere, which `changed` reads as no change.

    field: RadianceField.
    """
    with torch.no_grad():
        field.out.weight[1:].zero_()
        field.out.bias[1:].zero_()


def changed(colour: Tensor, albedo: Tensor) -> Tensor:
    """c + c' a / (c' a + (1 - c')(1 - a)) - c': the odds of c times those of a, float32[N, 3].

    An albedo of 1/2 changes nothing. c' is the colour, kept a little from 0 and 1.

    colour: float32[N, 3], sRGB in [0, 1], c.
    albedo: float32[N, 3], in (0, 1), a.
    """
    inner = colour.clamp(_PURE, 1.0 - _PURE)
    up, down = inner * albedo, (1.0 - inner) * (1.0 - albedo)
    return (colour + (up / (up + down).clamp_min(1e-12) - inner)).clamp(0.0, 1.0)


def flatness_loss(albedo: Tensor, met: Tensor) -> Tensor:
    """Return the mean over views of that of log(1 + |d|^2 / e^2) over steps d between neighbouring samples, e = EDGE.

    A small step costs its square, so mottles become flat. A large one costs nearly the same however large it is, so an
    edge stays and becomes sharp.

    albedo: float32[B, F, F, 3], sRGB.
    met: bool[B, F, F], which samples are on the surface; pairs with one beside it count nowhere.
    Source: the Lorentzian of Black 1998, "Robust anisotropic diffusion", IEEE TIP 7(3).
    """
    total, count = albedo.new_zeros(len(albedo)), albedo.new_zeros(len(albedo))
    for axis in (1, 2):
        last = albedo.shape[axis] - 1
        steps = albedo.narrow(axis, 1, last) - albedo.narrow(axis, 0, last)
        both = (met.narrow(axis, 1, last) & met.narrow(axis, 0, last)).to(albedo.dtype)
        total = total + (both * torch.log1p(steps.square().sum(-1) / EDGE**2)).sum((1, 2))
        count = count + both.sum((1, 2))
    return (total / count.clamp_min(1.0)).mean()


class SurfaceColours:
    """Colours at places of the surface as it began.

    texture: float32[H, W, 3], sRGB in [0, 1], as it was.
    field: RadianceField of the changes.
    """

    def __init__(self, texture: Tensor, field: RadianceField) -> None:
        self._texture = texture
        self._field = field

    def __call__(self, points: Tensor, uv: Tensor) -> Tensor:
        """Return colours float32[N, 3], with gradients to the field.

        points: float32[N, 3], world units.
        uv: float32[N, 2], in [0, 1], of the same places.
        """
        albedo: Tensor = self._field(points)[1]
        return changed(sample_texture(self._texture, uv), albedo)
