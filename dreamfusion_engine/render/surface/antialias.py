"""Silhouettes that move smoothly: pixels on both sides of an edge are blended by where it crosses between them.

A ray through a pixel's middle meets one triangle or another. So a picture jumps where a silhouette passes a middle, and
vertices get no gradient from that. Here each two neighbouring pixels that show different triangles are blended by the
share of a pixel that the nearer surface covers beyond the line half way between, or does not cover before it.

Source: Laine 2020, arXiv 2011.03277, on antialiasing. There the edge must belong to the nearer pixel's own triangle, so
triangles must be larger than pixels. Here a walk over the surface looks for it.
Axis letters: B views, N = B*H*W pixels, V vertices, T triangles, C channels, K pairs of pixels with an edge between.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.render.surface.antialias_kernels import find_silhouettes
from dreamfusion_engine.render.surface.hits import SurfaceHits, corner_rows
from dreamfusion_engine.scene.cameras import Cameras, projected


def antialiased(
    image: Tensor,
    hits: SurfaceHits,
    vertices: Tensor,
    triangles: Tensor,
    cameras: Cameras,
    neighbours: Tensor | None = None,
) -> Tensor:
    """Return the picture [B, H, W, C] blended across silhouettes. Gradients reach the picture and the vertices.

    An edge is a silhouette where it has one triangle, or where the next triangle folds back behind on the screen.

    image: float32[B, H, W, C], with what is seen where rays meet nothing.
    hits: SurfaceHits of the rays of `camera_rays`, N of them.
    vertices: float32[V, 3], world units, as they were cast.
    triangles: int[T, 3], in [0, V).
    cameras: Cameras, B of them; they get no gradient.
    neighbours: int32[T, 3], `edge_neighbours` of the triangles; None: found anew, which takes longer than the blending.
    """
    views, height, width, channels = image.shape
    if not len(triangles) or not len(hits):
        return image
    around = edge_neighbours(triangles) if neighbours is None else neighbours
    with torch.no_grad():
        edges, near, far, step = _silhouettes(hits, vertices, triangles, around, cameras, height, width)
    ends = vertices.index_select(0, edges.reshape(-1)).view(-1, 2, 3)
    screen = projected(ends, cameras.rows(near // (height * width)), height, width)
    here = torch.stack([near % width, near // width % height], -1).to(screen.dtype) + 0.5
    offset = screen[..., :2] - here[:, None]
    # s runs from the near pixel's middle (0) to the far one's (1), t across.
    sideways = step[:, :1] != 0
    s = torch.where(sideways, step[:, :1] * offset[..., 0], step[:, 1:] * offset[..., 1])
    t = torch.where(sideways, offset[..., 1], offset[..., 0])
    beyond = s[:, 0] - (s[:, 1] - s[:, 0]) * t[:, 0] / (t[:, 1] - t[:, 0]) - 0.5
    covers = beyond >= 0.0
    share = torch.where(covers, beyond, -beyond).clamp(max=0.5)
    giver, receiver = torch.where(covers, near, far), torch.where(covers, far, near)
    blended: Tensor = _Blend.apply(image.reshape(-1, channels), share.to(image.dtype), giver, receiver)
    return blended.view(image.shape)


def edge_neighbours(triangles: Tensor) -> Tensor:
    """Return the triangle across each edge, int32[T, 3], -1 where there is none. Edge k runs from corner k to k + 1.

    Where three or more triangles share an edge, each has the next one of them as its neighbour.

    triangles: int[T, 3].
    """
    corners = triangles.long()
    a, b = corners.reshape(-1), corners.roll(-1, 1).reshape(-1)
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    key, order = torch.sort(low * (high.max() + 1 if len(high) else 1) + high, stable=True)
    place = torch.arange(len(key), device=key.device)
    begins = torch.ones_like(key, dtype=torch.bool)
    begins[1:] = key[1:] != key[:-1]
    first = torch.where(begins, place, 0).cummax(0).values if len(key) else place
    follows = ~begins.roll(-1)
    if len(key):
        follows[-1] = False
    partner = torch.where(follows, place + 1, first)
    found = torch.where(partner == place, -1, order[partner] // 3)
    return torch.empty_like(found).scatter_(0, order, found).view(-1, 3).to(torch.int32)


class _Blend(torch.autograd.Function):
    """Pixels float[N, C] that receive shares of the differences to others: few of many, also on the way back."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor, share: Tensor, giver: Tensor, receiver: Tensor) -> Tensor:
        difference = flat.index_select(0, giver) - flat.index_select(0, receiver)
        ctx.save_for_backward(share, difference, giver, receiver)
        return flat.index_add(0, receiver, share[:, None] * difference)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        share, difference, giver, receiver = ctx.saved_tensors
        received = gradient.index_select(0, receiver)
        moved = share[:, None] * received
        to_flat = gradient.index_add(0, giver, moved).index_add_(0, receiver, -moved)
        return to_flat, (difference * received).sum(-1), None, None


def _silhouettes(
    hits: SurfaceHits,
    vertices: Tensor,
    triangles: Tensor,
    neighbours: Tensor,
    cameras: Cameras,
    height: int,
    width: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what lies between K pairs of neighbouring pixels, in the order of the pixels.

    They are the edges' vertices int64[K, 2], the nearer and the farther pixels int64[K] each, and the steps from near
    to far int64[K, 2], x and y. On CUDA this waits for the device once, because K is only known there.
    """
    device = vertices.device
    screen = projected(vertices.float().expand(len(cameras), -1, -1), cameras, height, width).contiguous()
    count = 2 * len(hits)
    start, end, far_end = (torch.empty(count, dtype=torch.int32, device=device) for _ in range(3))
    arguments = [
        hits.triangle,
        hits.depth.detach(),
        warp_runtime.vectors(screen),
        corner_rows(triangles),
        neighbours.reshape(-1),
        len(vertices),
        height,
        width,
        start,
        end,
        far_end,
    ]
    warp_runtime.launch(find_silhouettes, count, arguments, device=device, grain=4096)
    pairs = torch.nonzero(start >= 0)[:, 0]
    edges = torch.stack([x.index_select(0, pairs) for x in (start, end)], -1).long()
    down = pairs % 2
    first = pairs // 2
    second = first + torch.where(down == 1, width, 1)
    farther = far_end.index_select(0, pairs) == 1
    near, far = torch.where(farther, first, second), torch.where(farther, second, first)
    sign = torch.where(farther, 1, -1)
    return edges, near, far, torch.stack([sign * (1 - down), sign * down], -1)
