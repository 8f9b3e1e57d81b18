"""Decode encoded features to density and albedo in one pass on the CPU, with a gradient written by hand.

It is the same function as `RadianceField`'s torch layers; tests compare the two. Axis letters: N points, D encoded
features, K hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import warp as wp
from torch import Tensor
from torch.autograd.function import once_differentiable

from dreamfusion_engine.field.decoder_kernels import POINT_BLOCK, decoder_kernels
from dreamfusion_engine.field.hash_grid import HashGrid
from dreamfusion_engine.machine import warp_runtime


@dataclass(frozen=True, kw_only=True)
class Blob:
    """The initial blob: density is activation(gain * raw + height - slope |x|).

    gain: float.
    height: float.
    slope: float, 1 / world unit.
    activation: 'softplus' or 'exp'.
    """

    gain: float
    height: float
    slope: float
    activation: str = "softplus"


def decode_points(
    points: Tensor, grid: HashGrid, level_weight: Tensor, layers: tuple[Tensor, ...], blob: Blob, *, albedo: bool
) -> tuple[Tensor, Tensor]:
    """Return density float32[N] and albedo float32[N, 3] (float32[0, 3] unless asked for).

    Gradients reach table and layers only.

    points: float32[N, 3] on the CPU, contiguous, without gradient.
    grid: HashGrid that encodes them.
    level_weight: float32[L] in [0, 1].
    layers: weight float32[K, D], bias float32[K], weight float32[4, K], bias float32[4].
    blob: Blob.
    albedo: bool, whether to compute it.
    """
    result: tuple[Tensor, Tensor] = _Decode.apply(points, grid.table, *layers, grid, level_weight, blob, albedo)
    return result


class _Decode(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        points: Tensor,
        table: Tensor,
        hidden_weight: Tensor,
        hidden_bias: Tensor,
        out_weight: Tensor,
        out_bias: Tensor,
        grid: HashGrid,
        level_weight: Tensor,
        blob: Blob,
        with_albedo: bool,
    ) -> tuple[Tensor, Tensor]:
        units, inputs = hidden_weight.shape
        kernels = decoder_kernels(inputs, units, blob.activation)
        count = points.shape[0]
        encoded = grid.encode(points, level_weight)
        density = torch.empty(count)
        albedo = torch.empty(count if with_albedo else 0, 3)
        into_hidden = hidden_weight.t().contiguous()
        out_of_hidden = out_weight.t().contiguous()
        warp_runtime.launch(
            kernels.decode,
            -(-count // POINT_BLOCK),
            [
                count,
                warp_runtime.vectors(points),
                warp_runtime.array(encoded, kernels.encoded_type),
                warp_runtime.array(into_hidden, kernels.hidden_type),
                warp_runtime.array(hidden_bias, kernels.hidden_type),
                warp_runtime.array(out_of_hidden, wp.vec4),
                warp_runtime.array(out_bias, wp.vec4),
                blob.gain,
                blob.height,
                blob.slope,
                int(with_albedo),
                density,
                warp_runtime.vectors(albedo),
            ],
            device=points.device,
            grain=32,
        )
        # The weights may be changed in place (levels open) before backward runs.
        ctx.save_for_backward(
            points, level_weight.clone(), encoded, density, albedo, into_hidden, hidden_weight, hidden_bias, out_weight
        )
        ctx.grid, ctx.blob, ctx.with_albedo = grid, blob, with_albedo
        return density, albedo

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, density_gradient: Tensor, albedo_gradient: Tensor) -> tuple[Tensor | None, ...]:
        points, level_weight, encoded, density, albedo, into_hidden, hidden_weight, hidden_bias, out_weight = (
            ctx.saved_tensors
        )
        units, inputs = hidden_weight.shape
        kernels = decoder_kernels(inputs, units, ctx.blob.activation)
        count = points.shape[0]
        blocks = -(-count // POINT_BLOCK)
        to_encoded = torch.empty_like(encoded)
        # One row of sums a block: the kernel writes every element but the first, which it adds to.
        to_into_hidden = torch.zeros(blocks, inputs, units)
        to_hidden_bias = torch.empty(blocks, units)
        to_out_weight = torch.empty(blocks, 4, units)
        to_out_bias = torch.empty(blocks, 4)
        warp_runtime.launch(
            kernels.decode_gradient,
            blocks,
            [
                count,
                warp_runtime.array(encoded, kernels.encoded_type),
                warp_runtime.array(into_hidden, kernels.hidden_type),
                warp_runtime.array(hidden_bias, kernels.hidden_type),
                warp_runtime.array(hidden_weight, kernels.encoded_type),
                warp_runtime.array(out_weight, kernels.hidden_type),
                ctx.blob.gain,
                int(ctx.with_albedo),
                density,
                warp_runtime.vectors(albedo),
                density_gradient.contiguous(),
                warp_runtime.vectors(albedo_gradient.contiguous()),
                warp_runtime.array(to_encoded, kernels.encoded_type),
                warp_runtime.array(to_into_hidden, kernels.hidden_type),
                warp_runtime.array(to_hidden_bias, kernels.hidden_type),
                warp_runtime.array(to_out_weight, kernels.hidden_type),
                warp_runtime.array(to_out_bias, wp.vec4),
            ],
            device=points.device,
            grain=32,
        )
        return (
            None,
            ctx.grid.table_gradient(points, to_encoded, level_weight),
            to_into_hidden.sum(0).t(),
            to_hidden_bias.sum(0),
            to_out_weight.sum(0),
            to_out_bias.sum(0),
            None,
            None,
            None,
            None,
        )
