"""Normals of triangles and vertices, with gradients to the vertices.

Axis letters: V vertices, T triangles.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.render.surface import hits_kernels
from dreamfusion_engine.render.surface import normals_kernels as kernels
from dreamfusion_engine.render.surface.hits import added_to_rows, corner_rows

_TINY = 1e-12  # squared length below which a sum of unit normals has no direction


def face_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Return unit normals float32[T, 3] by the right hand.

    A triangle without area, or with a corner that is not finite, has 0, without a gradient.

    vertices: float32[V, 3], world units.
    triangles: int[T, 3], in [0, V).
    """
    normal: Tensor = _Shape.apply(vertices.float().contiguous(), corner_rows(triangles))[0]
    return normal


def vertex_normals(vertices: Tensor, triangles: Tensor, shown: Tensor | None = None) -> Tensor:
    """Return unit normals float32[V, 3]: the triangles' weighted by their angles, as the exported mesh has them.

    A vertex without a direction (no triangle, or a fold of two opposite ones) has (0, 0, 1), without a gradient. What
    is not finite counts nowhere.

    vertices: float32[V, 3], world units.
    triangles: int[T, 3], in [0, V).
    shown: int64[K], in [0, T), triangles of which the corners' normals are needed; those of other vertices mean nothing
        then, and may be any unit vectors. None: all.
    Source: Thuermer and Wuethrich 1998.
    """
    rows = corner_rows(triangles)
    # Choosing would make the host wait for a GPU. Where pixels are many it takes as long as what it saves.
    if shown is not None and len(shown) < len(triangles) and vertices.device.type == "cpu":
        rows = _rows_around(rows, shown, len(vertices))
    normal, angle = _Shape.apply(vertices.float().contiguous(), rows)
    total = _Gather.apply(normal, angle, rows, len(vertices))
    lost = total.detach().square().sum(-1, keepdim=True) < _TINY
    up = torch.tensor([0.0, 0.0, 1.0], device=vertices.device)
    return torch.nn.functional.normalize(torch.where(lost, up, total), dim=-1)


def _rows_around(rows: Tensor, shown: Tensor, count: int) -> Tensor:
    """The rows of all triangles that share a vertex with those that are shown, in their order."""
    corners = rows.view(-1, 3)
    wanted = torch.zeros(count, dtype=torch.bool, device=rows.device)
    wanted[corners.index_select(0, shown).view(-1)] = True
    touched = wanted.index_select(0, rows).view(-1, 3)
    return corners[touched[:, 0] | touched[:, 1] | touched[:, 2]].view(-1)


class _Shape(torch.autograd.Function):
    """Unit normals [T, 3] and angles [T, 3] of triangles."""

    @staticmethod
    def forward(ctx: Any, vertices: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(vertices, rows)
        count = len(rows) // 3
        normal, angle = (vertices.new_empty(count, 3) for _ in range(2))
        if count:
            results = [warp_runtime.vectors(x) for x in (normal, angle)]
            arguments = [warp_runtime.vectors(vertices), rows, *results]
            warp_runtime.launch(kernels.shape_of_triangles, count, arguments, device=vertices.device)
        return normal, angle

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        vertices, rows = ctx.saved_tensors
        to_vertex = torch.zeros_like(vertices)
        if not len(rows):
            return to_vertex, None
        to_corner = vertices.new_empty(len(rows), 3)
        given = [
            warp_runtime.vectors(x) for x in (vertices, *(g.contiguous() for g in gradients), to_corner, to_vertex)
        ]
        arguments = [given[0], rows, *given[1:4]]
        warp_runtime.launch(kernels.corner_gradients, len(rows) // 3, arguments, device=vertices.device)
        if vertices.device.type == "cpu":
            parts = warp_runtime.owners()
            arguments = [len(rows), parts, rows, *given[3:]]
            warp_runtime.launch(kernels.add_corners, parts, arguments, device=vertices.device, grain=1)
        else:
            warp_runtime.launch(kernels.add_corners_atomic, len(rows), [rows, *given[3:]], device=vertices.device)
        return to_vertex, None


class _Gather(torch.autograd.Function):
    """The sum of angle times normal over the corners of each vertex, [V, 3]: the transpose of an interpolation."""

    @staticmethod
    def forward(ctx: Any, normal: Tensor, angle: Tensor, rows: Tensor, count: int) -> Tensor:
        each = torch.arange(len(normal), device=normal.device)
        ctx.save_for_backward(normal, angle, rows, each)
        return added_to_rows(each, angle, rows, normal, normal.new_empty(count, 3))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        normal, angle, rows, each = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_normal, to_angle = torch.zeros_like(normal), torch.zeros_like(angle)
        if len(each):
            device = normal.device
            arguments = [each, warp_runtime.vectors(angle), rows, gradient, 3, to_normal]
            warp_runtime.launch(hits_kernels.interpolate, len(each), arguments, device=device)
            arguments = [each, rows, gradient, 3, normal, warp_runtime.vectors(to_angle)]
            warp_runtime.launch(hits_kernels.interpolate_weight_gradient, len(each), arguments, device=device)
        return to_normal, to_angle, None, None
