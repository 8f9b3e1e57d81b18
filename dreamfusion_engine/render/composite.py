"""Volume rendering of packed samples, forward and backward in Warp.

alpha_i = 1 - exp(-sigma_i dt),  T_i = prod_{j<i} (1 - alpha_j),  w_i = T_i alpha_i
Samples that less than OPAQUE of the light reaches are left out, as in Mueller 2022 (arXiv 2201.05989, App. E.1). Their
gradient is exactly zero, so the field can skip them.
Axis letters: R rays, S samples of all rays.
Source: Max 1995; NeRF, arXiv 2003.08934, eq. 3.
"""

from __future__ import annotations

from typing import Any

import torch
import warp as wp
from torch import Tensor
from torch.autograd.function import once_differentiable

from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.render.march import Samples

OPAQUE = 1e-4  # transmittance at which a ray ends


@wp.kernel(enable_backward=False)
def composite_rays(
    begin: int,
    offsets: wp.array(dtype=int),
    density: wp.array(dtype=float),
    colour: wp.array(dtype=wp.vec3),
    distance: wp.array(dtype=float),
    dt: float,
    ray_colour: wp.array(dtype=wp.vec3),
    ray_opacity: wp.array(dtype=float),
    ray_depth: wp.array(dtype=float),
) -> None:
    r = begin + wp.tid()
    transmittance = float(1.0)
    total = wp.vec3()
    depth = float(0.0)
    for s in range(offsets[r], offsets[r + 1]):
        if transmittance < OPAQUE:
            break
        passed = wp.exp(-density[s] * dt)
        weight = transmittance * (1.0 - passed)
        total += weight * colour[s]
        depth += weight * distance[s]
        transmittance *= passed
    ray_colour[r] = total
    ray_opacity[r] = 1.0 - transmittance
    ray_depth[r] = depth


@wp.kernel(enable_backward=False)
def composite_rays_gradient(
    begin: int,
    offsets: wp.array(dtype=int),
    density: wp.array(dtype=float),
    colour: wp.array(dtype=wp.vec3),
    distance: wp.array(dtype=float),
    dt: float,
    ray_colour: wp.array(dtype=wp.vec3),
    ray_opacity: wp.array(dtype=float),
    ray_depth: wp.array(dtype=float),
    colour_gradient: wp.array(dtype=wp.vec3),
    opacity_gradient: wp.array(dtype=float),
    depth_gradient: wp.array(dtype=float),
    to_density: wp.array(dtype=float),
    to_colour: wp.array(dtype=wp.vec3),
) -> None:
    """With v_i = g_colour . c_i + g_opacity + g_depth t_i, the loss changes by

    dL / dsigma_i = dt (T_{i+1} v_i - sum_{j>i} w_j v_j)  and  dL / dc_i = w_i g_colour.
    """
    r = begin + wp.tid()
    g_colour = colour_gradient[r]
    g_opacity = opacity_gradient[r]
    g_depth = depth_gradient[r]
    behind = wp.dot(g_colour, ray_colour[r]) + g_opacity * ray_opacity[r] + g_depth * ray_depth[r]
    transmittance = float(1.0)
    for s in range(offsets[r], offsets[r + 1]):
        if transmittance < OPAQUE:
            to_density[s] = 0.0
            to_colour[s] = wp.vec3()
        else:
            passed = wp.exp(-density[s] * dt)
            weight = transmittance * (1.0 - passed)
            value = wp.dot(g_colour, colour[s]) + g_opacity + g_depth * distance[s]
            transmittance *= passed
            behind -= weight * value
            to_density[s] = dt * (transmittance * value - behind)
            to_colour[s] = weight * g_colour


def composite(density: Tensor, colour: Tensor, samples: Samples) -> tuple[Tensor, Tensor, Tensor]:
    """Return colour sum_i w_i c_i float32[R, 3], opacity sum_i w_i float32[R] and depth sum_i w_i t_i float32[R].

    The depth is not divided by the opacity. Gradients reach density and colour.

    density: float32[S], 1 / world unit, at least 0.
    colour: float32[S, 3].
    samples: Samples, S of them on R rays.
    """
    result: tuple[Tensor, Tensor, Tensor] = _Composite.apply(density, colour, samples)
    return result


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, density: Tensor, colour: Tensor, samples: Samples) -> tuple[Tensor, Tensor, Tensor]:
        density, colour = density.contiguous(), colour.contiguous()
        rays = samples.offsets.shape[0] - 1
        result = torch.empty(rays, 3, device=density.device)
        opacity = torch.empty(rays, device=density.device)
        depth = torch.empty(rays, device=density.device)
        warp_runtime.launch(
            composite_rays,
            rays,
            [*_inputs(density, colour, samples), warp_runtime.vectors(result), opacity, depth],
            device=density.device,
            grain=4096,
        )
        ctx.save_for_backward(density, colour, result, opacity, depth)
        ctx.samples = samples
        return result, opacity, depth

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        density, colour, result, opacity, depth = ctx.saved_tensors
        # The kernel writes every sample; rows that are none must not carry a gradient.
        new = torch.empty_like if ctx.samples.wanted is None else torch.zeros_like
        to_density, to_colour = new(density), new(colour)
        g_colour, g_opacity, g_depth = (g.contiguous() for g in gradients)
        warp_runtime.launch(
            composite_rays_gradient,
            opacity.shape[0],
            [
                *_inputs(density, colour, ctx.samples),
                warp_runtime.vectors(result),
                opacity,
                depth,
                warp_runtime.vectors(g_colour),
                g_opacity,
                g_depth,
                to_density,
                warp_runtime.vectors(to_colour),
            ],
            device=density.device,
            grain=4096,
        )
        return to_density, to_colour, None


def _inputs(density: Tensor, colour: Tensor, samples: Samples) -> list[Any]:
    return [samples.offsets, density, warp_runtime.vectors(colour), samples.t, samples.dt]
