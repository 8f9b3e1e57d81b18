"""Bilinear texture look-ups with gradients to texels and places.

Axis letters: N look-ups, H rows, W columns, C channels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.render.surface import texture_kernels as kernels


def sample_texture(texture: Tensor, uv: Tensor) -> Tensor:
    """Return the texture at the places, float32[N, C], between the four nearest texels. Gradients reach both.

    The convention is that of `mesh/bake.py` and of the GLB: v points down, the middle of the texel in row i, column j
    lies at ((j + 0.5) / W, (i + 0.5) / H), and beyond the border the nearest texel counts.

    texture: float32[H, W, C], H and W at least 1.
    uv: float32[N, 2], in [0, 1] within the texture.
    """
    result: Tensor = _Sample.apply(texture.float().contiguous(), uv.float().contiguous())
    return result


class _Sample(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, texture: Tensor, uv: Tensor) -> Tensor:
        ctx.save_for_backward(texture, uv)
        result = texture.new_empty(len(uv), texture.shape[2])
        if result.numel():
            arguments = [texture, *texture.shape, warp_runtime.vectors(uv, 2), result]
            warp_runtime.launch(kernels.sample, len(uv), arguments, device=uv.device, grain=4096)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        texture, uv = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_texture = to_uv = None
        if ctx.needs_input_grad[0]:
            to_texture = torch.zeros_like(texture)
            if gradient.numel():
                shared = [*texture.shape, warp_runtime.vectors(uv, 2), gradient, to_texture]
                if uv.device.type == "cpu":
                    parts = warp_runtime.owners()
                    arguments = [len(uv), parts, *shared]
                    warp_runtime.launch(kernels.add_to_texels, parts, arguments, device=uv.device, grain=1)
                else:
                    warp_runtime.launch(kernels.add_to_texels_atomic, len(uv), shared, device=uv.device)
        if ctx.needs_input_grad[1]:
            to_uv = torch.zeros_like(uv)
            if gradient.numel():
                places = [warp_runtime.vectors(x, 2) for x in (uv, to_uv)]
                arguments = [texture, *texture.shape, places[0], gradient, places[1]]
                warp_runtime.launch(kernels.sample_place_gradient, len(uv), arguments, device=uv.device, grain=4096)
        return to_texture, to_uv
