"""Shading of surface points: normals, Lambertian light, and the penalty on surfaces that face away.

Axis letters: N points, R rays.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# DreamFusion (arXiv 2209.14988, App. A.2) has 0.1; more keeps shadows from driving colours.
AMBIENT = 0.3


def density_gradient(density: Callable[[Tensor], Tensor], points: Tensor, step: float) -> Tensor:
    """grad sigma_a = (sigma(x + h e_a) - sigma(x - h e_a)) / 2 h along each axis a; float32[N, 3].

    It is exact for quadratic densities; the error is O(h^2). A tetrahedron's four corners would need two thirds of the
    queries, but their error is h times the mixed second derivatives: at a surface's edge that tilts normals by up to 15
    degrees.

    density: points float32[6 N, 3] to float32[6 N], asked once.
    points: float32[N, 3], world units.
    step: float, h, world units.
    """
    offsets = step * torch.eye(3, device=points.device, dtype=points.dtype)
    around = torch.cat([points + offset for offset in (*offsets, *-offsets)])
    ahead, behind = density(around).view(2, 3, -1)
    return (ahead - behind).t() / (2.0 * step)


def outward_normals(gradient: Tensor) -> Tensor:
    """n = -grad sigma / |grad sigma|, zero where the density is flat; float32[N, 3].

    gradient: float32[N, 3], grad sigma.
    Source: DreamFusion, arXiv 2209.14988, section 3.1.
    """
    return -gradient / torch.sqrt((gradient * gradient).sum(-1, keepdim=True) + 1e-12)


def lambertian(normals: Tensor, points: Tensor, light: Tensor, ambient: float = AMBIENT) -> Tensor:
    """s = ambient + (1 - ambient) max(0, n . l), with l the unit vector to a point light; float32[N].

    normals: float32[N, 3], n.
    points: float32[N, 3], world units.
    light: float32[N, 3] or [3], position, world units.
    ambient: float in [0, 1].
    Source: DreamFusion, arXiv 2209.14988, eq. 6.
    """
    towards = torch.nn.functional.normalize(light - points, dim=-1)
    return ambient + (1.0 - ambient) * (normals * towards).sum(-1).clamp_min(0.0)


def orientation_penalty(normals: Tensor, directions: Tensor, weight: Tensor) -> Tensor:
    """sg(w) max(0, n . d)^2, float32[N]: visible surfaces must face the camera.

    normals: float32[N, 3], n.
    directions: float32[N, 3], d, pointing away from the camera.
    weight: float32[N], w; no gradient passes it.
    Source: Ref-NeRF, arXiv 2112.03907, eq. 11.
    """
    return weight.detach() * (normals * directions).sum(-1).clamp_min(0.0).square()


def over_background(colour: Tensor, opacity: Tensor, background: Tensor) -> Tensor:
    """c + (1 - a) b, float32[R, 3].

    colour: float32[R, 3], c, premultiplied.
    opacity: float32[R], a, in [0, 1].
    background: float32[R, 3] or [3], b.
    """
    return colour + (1.0 - opacity)[:, None] * background
