"""Warp kernels of the field's MLP and activations on the CPU, made once for each size.

One launch item is a block of points. Loops run over rows of weights, so that every operation is a vector of a fixed
length that the compiler turns into SIMD instructions; each block sums its own gradient of the weights, and the blocks
are added in order afterwards, which makes it the same bit for bit on any number of cores.

Annotations are evaluated here (no `from __future__ import annotations`): Warp must see the vector types of the closure.
"""

# mypy: disable-error-code="valid-type, index"

from functools import cache
from typing import Any, NamedTuple

import warp as wp

from dreamfusion_engine.machine import warp_runtime  # noqa: F401  (starts Warp quietly before the first kernel)

POINT_BLOCK = 128  # points of one launch item


class DecoderKernels(NamedTuple):
    """Kernels over blocks of points, and the vector types that they use.

    encoded_type: of the encoded features.
    hidden_type: of the hidden units.
    decode, decode_gradient: forward and backward.
    """

    encoded_type: Any
    hidden_type: Any
    decode: Any
    decode_gradient: Any


@wp.func
def softplus(x: float) -> float:
    """log(1 + e^x) without overflow."""
    return wp.max(x, 0.0) + wp.log(1.0 + wp.exp(-wp.abs(x)))


@wp.func
def softplus_slope(density: float) -> float:
    """d softplus / dx by its value: 1 - exp(-softplus)."""
    return 1.0 - wp.exp(-density)


@wp.func
def bounded_exp(x: float) -> float:
    """e^x, which stays at e^15 above."""
    return wp.exp(wp.where(x > 15.0, 15.0, x))  # unlike min(), lets a NaN through


@wp.func
def bounded_exp_slope(density: float) -> float:
    """d e^x / dx by its value, also at the bound, so that a density can come down from there."""
    return density


@wp.func
def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + wp.exp(-x))


@wp.func
def outside(point: wp.vec3) -> bool:
    return wp.max(wp.abs(point[0]), wp.max(wp.abs(point[1]), wp.abs(point[2]))) > 1.0


@cache
def decoder_kernels(inputs: int, hidden: int, activation: str) -> DecoderKernels:
    """Return the kernels for `inputs` encoded features, `hidden` units and the density's activation."""
    activated, slope = (bounded_exp, bounded_exp_slope) if activation == "exp" else (softplus, softplus_slope)
    encoded_type = wp.types.vector(length=inputs, dtype=wp.float32)
    hidden_type = wp.types.vector(length=hidden, dtype=wp.float32)

    @wp.func
    def hidden_units(
        e: encoded_type, into_hidden: wp.array(dtype=hidden_type), hidden_bias: wp.array(dtype=hidden_type)
    ) -> hidden_type:
        # Two sums at a time, here and below: a sum waits for its last addition, two wait half as often.
        h = hidden_bias[0]
        odd = hidden_type()
        for i in range(wp.static(inputs // 2)):
            h += e[2 * i] * into_hidden[2 * i]
            odd += e[2 * i + 1] * into_hidden[2 * i + 1]
        if wp.static(inputs % 2 == 1):
            h += e[wp.static(inputs - 1)] * into_hidden[wp.static(inputs - 1)]
        h += odd
        for j in range(wp.static(hidden)):
            h[j] = wp.where(h[j] < 0.0, 0.0, h[j])  # unlike max(), lets a NaN through to where it is noticed
        return h

    @wp.func
    def raw_outputs(
        h: hidden_type, out_of_hidden: wp.array(dtype=wp.vec4), out_bias: wp.array(dtype=wp.vec4)
    ) -> wp.vec4:
        raw = out_bias[0]
        for j in range(wp.static(hidden)):
            raw += h[j] * out_of_hidden[j]
        return raw

    @wp.kernel(enable_backward=False, module="unique")
    def decode(
        begin: int,
        count: int,
        points: wp.array(dtype=wp.vec3),
        encoded: wp.array(dtype=encoded_type),
        into_hidden: wp.array(dtype=hidden_type),
        hidden_bias: wp.array(dtype=hidden_type),
        out_of_hidden: wp.array(dtype=wp.vec4),
        out_bias: wp.array(dtype=wp.vec4),
        gain: float,
        blob_height: float,
        blob_slope: float,
        with_albedo: int,
        density: wp.array(dtype=float),
        albedo: wp.array(dtype=wp.vec3),
    ) -> None:
        first = (begin + wp.tid()) * POINT_BLOCK
        for n in range(first, wp.min(first + POINT_BLOCK, count)):
            point = points[n]
            raw = raw_outputs(hidden_units(encoded[n], into_hidden, hidden_bias), out_of_hidden, out_bias)
            sigma = activated(gain * raw[0] + blob_height - blob_slope * wp.length(point))
            density[n] = wp.where(outside(point), 0.0, sigma)
            if with_albedo != 0:
                albedo[n] = wp.vec3(sigmoid(raw[1]), sigmoid(raw[2]), sigmoid(raw[3]))

    @wp.kernel(enable_backward=False, module="unique")
    def decode_gradient(
        begin: int,
        count: int,
        encoded: wp.array(dtype=encoded_type),
        into_hidden: wp.array(dtype=hidden_type),
        hidden_bias: wp.array(dtype=hidden_type),
        hidden_rows: wp.array(dtype=encoded_type),
        out_rows: wp.array(dtype=hidden_type),
        gain: float,
        with_albedo: int,
        density: wp.array(dtype=float),
        albedo: wp.array(dtype=wp.vec3),
        density_gradient: wp.array(dtype=float),
        albedo_gradient: wp.array(dtype=wp.vec3),
        to_encoded: wp.array(dtype=encoded_type),
        to_into_hidden: wp.array(dtype=hidden_type),
        to_hidden_bias: wp.array(dtype=hidden_type),
        to_out_rows: wp.array(dtype=hidden_type),
        to_out_bias: wp.array(dtype=wp.vec4),
    ) -> None:
        block = begin + wp.tid()
        first = block * POINT_BLOCK
        bias_sum = hidden_type()
        out_bias_sum = wp.vec4()
        row0 = hidden_type()
        row1 = hidden_type()
        row2 = hidden_type()
        row3 = hidden_type()
        for n in range(first, wp.min(first + POINT_BLOCK, count)):
            # The saved density says its own slope, and says 0 outside the box.
            g = wp.vec4(gain * slope(density[n]) * density_gradient[n], 0.0, 0.0, 0.0)
            if with_albedo != 0:
                a = albedo[n]
                ga = albedo_gradient[n]
                g = wp.vec4(g[0], ga[0] * a[0] * (1.0 - a[0]), ga[1] * a[1] * (1.0 - a[1]), ga[2] * a[2] * (1.0 - a[2]))
            ge = encoded_type()
            if g[0] != 0.0 or g[1] != 0.0 or g[2] != 0.0 or g[3] != 0.0:
                e = encoded[n]
                h = hidden_units(e, into_hidden, hidden_bias)
                gh = g[0] * out_rows[0] + g[1] * out_rows[1] + g[2] * out_rows[2] + g[3] * out_rows[3]
                for j in range(wp.static(hidden)):
                    gh[j] = wp.where(h[j] > 0.0, gh[j], 0.0)
                for j in range(wp.static(hidden)):
                    ge += gh[j] * hidden_rows[j]
                out_bias_sum += g
                bias_sum += gh
                row0 += g[0] * h
                row1 += g[1] * h
                row2 += g[2] * h
                row3 += g[3] * h
                for i in range(wp.static(inputs)):
                    k = block * wp.static(inputs) + i
                    to_into_hidden[k] = to_into_hidden[k] + e[i] * gh
            to_encoded[n] = ge
        to_hidden_bias[block] = bias_sum
        to_out_bias[block] = out_bias_sum
        to_out_rows[4 * block] = row0
        to_out_rows[4 * block + 1] = row1
        to_out_rows[4 * block + 2] = row2
        to_out_rows[4 * block + 3] = row3

    return DecoderKernels(encoded_type, hidden_type, decode, decode_gradient)
