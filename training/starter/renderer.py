"""Sphere tracing of the corpus objects in one Warp kernel: many small pictures in one launch, on CPU or CUDA.

Each picture holds what all three renderings need (flat colours, lit, white clay), premultiplied by coverage, so that
one traced picture serves every rendering over every background.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import warp as wp
from torch import Tensor

from dreamfusion_engine.config.stages import Shading
from dreamfusion_engine.machine.warp_runtime import array, launch, vectors
from dreamfusion_engine.scene.cameras import Cameras
from training.starter.distance import part_distance, union_distance
from training.starter.pattern import second_colour
from training.starter.primitives import Part

CHANNELS = 8  # albedo r g b, lit r g b, clay, coverage
_STEPS = 56
_HIT = 0.002  # world units: about a twentieth of a pixel at 64 pixels


@wp.kernel(enable_backward=False)
def trace(
    begin: int,
    pixels: int,
    samples: int,
    offset: wp.array(dtype=wp.int32),
    shape: wp.array(dtype=wp.int32),
    centre: wp.array(dtype=wp.vec3),
    rotation: wp.array(dtype=wp.mat33),
    size: wp.array(dtype=wp.vec4),
    colour: wp.array(dtype=wp.vec3),
    pattern: wp.array(dtype=wp.int32),
    second: wp.array(dtype=wp.vec3),
    position: wp.array(dtype=wp.vec3),
    frame: wp.array(dtype=wp.mat33),
    focal: wp.array(dtype=float),
    light: wp.array(dtype=wp.vec3),
    ambient: wp.array(dtype=float),
    out: wp.array(dtype=float, ndim=4),
) -> None:
    item = begin + wp.tid()
    b = item // (pixels * pixels)
    y = item // pixels % pixels
    x = item % pixels
    origin = position[b]
    albedo = wp.vec3(0.0, 0.0, 0.0)
    lit = wp.vec3(0.0, 0.0, 0.0)
    clay = float(0.0)
    cover = float(0.0)
    share = 1.0 / float(samples * samples)
    for i in range(samples * samples):
        u = (float(x) + (float(i % samples) + 0.5) / float(samples)) / float(pixels) - 0.5
        v = 0.5 - (float(y) + (float(i // samples) + 0.5) / float(samples)) / float(pixels)
        ray = wp.normalize(frame[b] * wp.vec3(u / focal[b], v / focal[b], -1.0))
        along = wp.dot(-origin, ray)
        miss = wp.dot(origin, origin) - along * along
        if miss < 1.5625:  # the object lies in the ball of radius 1.25
            reach = wp.sqrt(1.5625 - miss)
            t = along - reach
            end = along + reach
            hit = float(-1.0)
            for _step in range(_STEPS):
                found = union_distance(origin + t * ray, offset[b], offset[b + 1], shape, centre, rotation, size)
                if found[0] < _HIT:
                    hit = found[1]
                    break
                t += found[0]
                if t > end:
                    break
            if hit >= 0.0:
                p = origin + t * ray
                k = int(hit)
                local = wp.transpose(rotation[k]) * (p - centre[k])
                e = float(1.0e-3)
                base = part_distance(shape[k], local, size[k])
                gradient = wp.vec3(
                    part_distance(shape[k], local + wp.vec3(e, 0.0, 0.0), size[k]) - base,
                    part_distance(shape[k], local + wp.vec3(0.0, e, 0.0), size[k]) - base,
                    part_distance(shape[k], local + wp.vec3(0.0, 0.0, e), size[k]) - base,
                )
                own = wp.normalize(gradient)
                n = rotation[k] * own
                paint = colour[k]
                if pattern[k] != 0 and second_colour(pattern[k], shape[k], local, own, size[k]):
                    paint = second[k]
                shade = ambient[b] + (1.0 - ambient[b]) * wp.max(0.0, wp.dot(n, wp.normalize(light[b] - p)))
                albedo += share * paint
                lit += share * shade * paint
                clay += share * shade
                cover += share
    for c in range(3):
        out[b, c, y, x] = albedo[c]
        out[b, 3 + c, y, x] = lit[c]
    out[b, 6, y, x] = clay
    out[b, 7, y, x] = cover


def render_objects(
    objects: Sequence[list[Part]],
    cameras: Cameras,
    light: Tensor,
    ambient: Tensor,
    *,
    pixels: int,
    samples: int = 2,
) -> Tensor:
    """Trace B objects, each from its own camera, and return float32[B, 8, pixels, pixels] on the cameras' device.

    The channels are albedo, lit, clay and coverage, premultiplied.

    objects: B lists of Parts.
    cameras: Cameras, B of them.
    light: float32[B, 3], place of the point light, world units.
    ambient: float32[B] in [0, 1], share of light from everywhere (DreamFusion eq. 6 has 0.1).
    pixels: int, side of a picture.
    samples: int, along a pixel's side.
    """
    device = cameras.position.device
    flat = [part for parts in objects for part in parts]
    offset = np.cumsum([0, *map(len, objects)])
    out = torch.zeros(len(objects), CHANNELS, pixels, pixels, device=device)

    def whole(values: object) -> Tensor:
        return torch.tensor(values, dtype=torch.int32, device=device)

    def real(values: object) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device)

    rotation = real([p.rotation for p in flat])
    frame = cameras.rotation.contiguous()
    launch(
        trace,
        len(objects) * pixels * pixels,
        [
            pixels,
            samples,
            whole(offset),
            whole([p.shape for p in flat]),
            vectors(real([p.centre for p in flat])),
            wp.from_torch(rotation, dtype=wp.mat33, return_ctype=True),
            array(real([p.size for p in flat]), wp.vec4),
            vectors(real([p.colour for p in flat])),
            whole([p.pattern for p in flat]),
            vectors(real([p.second for p in flat])),
            vectors(cameras.position.contiguous()),
            wp.from_torch(frame, dtype=wp.mat33, return_ctype=True),
            cameras.focal.contiguous(),
            vectors(light.contiguous()),
            ambient.contiguous(),
            wp.from_torch(out, return_ctype=True),
        ],
        device=device,
        grain=pixels * pixels,
    )
    return out


def compose(traced: Tensor, background: Tensor, shading: Shading) -> Tensor:
    """Return pictures float32[B, 3, H, W] in [0, 1] from traced ones.

    traced: float32[B, 8, H, W], from `render_objects`.
    background: float32[B, 3], sRGB in [0, 1].
    shading: 'albedo' (flat colours), 'lambertian' (lit) or 'textureless' (white clay).
    """
    behind = background[:, :, None, None] * (1.0 - traced[:, 7:8])
    if shading == "albedo":
        return traced[:, 0:3] + behind
    if shading == "lambertian":
        return traced[:, 3:6] + behind
    return traced[:, 6:7] + behind
