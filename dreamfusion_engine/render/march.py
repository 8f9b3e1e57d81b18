"""The samples of rays: fixed steps through the box [-1, 1]^3, empty cells skipped, packed one ray after another.

Axis letters: R rays, S samples of all rays, C occupancy cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import warp as wp
from torch import Tensor

from dreamfusion_engine.machine import warp_runtime

OUTSIDE = 2.0  # each coordinate of a row that is no sample


@dataclass(frozen=True, kw_only=True)
class Samples:
    """S samples on R rays. The samples of ray r have the rows offsets[r] to offsets[r + 1] - 1.

    Where the arrays have a given length, rows that are no sample lie outside the box, where every density is 0. Where
    more samples are wanted than there are rows, the last rays are cut.

    points: float32[S, 3], world units.
    ray: int32[S], index of each sample's ray.
    t: float32[S], distance from the ray's origin, world units.
    dt: float, length that each sample stands for, world units.
    offsets: int32[R + 1], first row of each ray.
    wanted: int32[1], number of samples, where the arrays' length was given; None where it is that number.
    """

    points: Tensor
    ray: Tensor
    t: Tensor
    dt: float
    offsets: Tensor
    wanted: Tensor | None = None

    def __len__(self) -> int:
        return self.t.shape[0]


@wp.func
def box_span(origin: wp.vec3, direction: wp.vec3) -> wp.vec2:
    """(near, far) distance of a ray's part inside [-1, 1]^3, near >= 0; near > far where it misses (slab method)."""
    near = float(0.0)
    far = float(1.0e30)
    for axis in range(3):
        d = direction[axis]
        o = origin[axis]
        if wp.abs(d) < 1.0e-12:
            if wp.abs(o) > 1.0:
                far = -1.0
        else:
            a = (-1.0 - o) / d
            b = (1.0 - o) / d
            near = wp.max(near, wp.min(a, b))
            far = wp.min(far, wp.max(a, b))
    return wp.vec2(near, far)


@wp.func
def cell_index(point: wp.vec3, resolution: int) -> int:
    scale = 0.5 * float(resolution)
    x = wp.clamp(int((point[0] + 1.0) * scale), 0, resolution - 1)
    y = wp.clamp(int((point[1] + 1.0) * scale), 0, resolution - 1)
    z = wp.clamp(int((point[2] + 1.0) * scale), 0, resolution - 1)
    return x + resolution * (y + resolution * z)


@wp.kernel(enable_backward=False)
def count_samples(
    begin: int,
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    occupied: wp.array(dtype=wp.uint8),
    jitter: wp.array(dtype=float),
    resolution: int,
    step: float,
    max_samples: int,
    counts: wp.array(dtype=int),
) -> None:
    r = begin + wp.tid()
    origin = origins[r]
    direction = directions[r]
    span = box_span(origin, direction)
    count = int(0)
    t = span[0] + jitter[r] * step
    k = int(0)
    while t < span[1] and count < max_samples:
        if occupied[cell_index(origin + t * direction, resolution)] != wp.uint8(0):
            count += 1
        k += 1
        t = span[0] + (float(k) + jitter[r]) * step
    counts[r] = count


@wp.kernel(enable_backward=False)
def fill_samples(
    begin: int,
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    occupied: wp.array(dtype=wp.uint8),
    jitter: wp.array(dtype=float),
    resolution: int,
    step: float,
    offsets: wp.array(dtype=int),
    points: wp.array(dtype=wp.vec3),
    ray: wp.array(dtype=int),
    distance: wp.array(dtype=float),
) -> None:
    r = begin + wp.tid()
    origin = origins[r]
    direction = directions[r]
    span = box_span(origin, direction)
    s = offsets[r]
    end = offsets[r + 1]
    t = span[0] + jitter[r] * step
    k = int(0)
    while s < end:
        point = origin + t * direction
        if occupied[cell_index(point, resolution)] != wp.uint8(0):
            points[s] = point
            ray[s] = r
            distance[s] = t
            s += 1
        k += 1
        t = span[0] + (float(k) + jitter[r]) * step


@torch.no_grad()
def march(
    origins: Tensor,
    directions: Tensor,
    occupied: Tensor,
    *,
    step: float,
    jitter: Tensor,
    max_samples: int,
    rows: int | None = None,
) -> Samples:
    """Return samples t_k = t_near + (k + jitter) step of every ray inside the box, without those in empty cells.

    Skipping never moves a sample, so it changes an image only by what the skipped cells would have added.

    origins: float32[R, 3], world units.
    directions: float32[R, 3], unit length.
    occupied: uint8[C], 1 for cells to sample, C = resolution^3.
    step: float, world units.
    jitter: float32[R] in [0, 1), one offset for each ray.
    max_samples: int, most samples of one ray; the nearest are kept.
    rows: int, length of the arrays; None: the number of samples, which the host waits for.
    """
    rays = origins.shape[0]
    device = origins.device
    resolution = round(occupied.shape[0] ** (1.0 / 3.0))
    geometry = [
        warp_runtime.vectors(origins.contiguous()),
        warp_runtime.vectors(directions.contiguous()),
        occupied,
        jitter,
        resolution,
        step,
    ]
    offsets = torch.zeros(rays + 1, dtype=torch.int32, device=device)
    counts = offsets[1:]
    warp_runtime.launch(count_samples, rays, [*geometry, max_samples, counts], device=device, grain=1024)
    torch.cumsum(counts, 0, out=counts)
    wanted = None
    if rows is None:
        total = int(offsets[-1])
        points = torch.empty(total, 3, device=device)
        ray = torch.empty(total, dtype=torch.int32, device=device)
        t = torch.empty(total, device=device)
    else:
        wanted = offsets[-1:].clone()
        offsets.clamp_(max=rows)
        points = torch.full((rows, 3), OUTSIDE, device=device)
        ray = torch.zeros(rows, dtype=torch.int32, device=device)
        t = torch.zeros(rows, device=device)
    warp_runtime.launch(
        fill_samples, rays, [*geometry, offsets, warp_runtime.vectors(points), ray, t], device=device, grain=1024
    )
    return Samples(points=points, ray=ray, t=t, dt=step, offsets=offsets, wanted=wanted)


def most_samples(step: float, max_samples: int) -> int:
    """Return the most samples that `march` can keep of one ray: the steps of the box's diagonal, or `max_samples`.

    step: float, length of a step, world units.
    max_samples: int, of a ray.
    """
    return min(max_samples, math.ceil(2.0 * math.sqrt(3.0) / step) + 1)
