"""What rays meet on a mesh, and what vertices carry there, with gradients to the vertices and their values.

Axis letters: N rays, V vertices, T triangles, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.render.surface import hits_kernels as kernels


@dataclass(frozen=True)
class SurfaceHits:
    """What N rays meet first.

    triangle: int64[N], -1 where the ray meets nothing.
    barycentric: float32[N, 3], weights of the triangle's corners; 0 where nothing is met.
    depth: float32[N], distance along the unit ray, world units; inf where nothing is met.
    """

    triangle: Tensor
    barycentric: Tensor
    depth: Tensor

    def __len__(self) -> int:
        return self.triangle.shape[0]

    def of(self, rays: Tensor) -> SurfaceHits:
        """Return what some of the rays meet.

        rays: int64[K], in [0, N).
        """
        return SurfaceHits(*(x.index_select(0, rays) for x in (self.triangle, self.barycentric, self.depth)))


def differentiable_hits(
    hits: SurfaceHits, vertices: Tensor, triangles: Tensor, origins: Tensor, directions: Tensor
) -> SurfaceHits:
    """Return the same hits with weights and depths as functions of the vertices, which gradients reach.

    Each ray is intersected once more with the plane of its own triangle. A ray that is nearly within the plane
    (`hits_kernels.GRAZING`) keeps what was cast and gives no gradient, because there it would grow without bound. Rays
    get no gradient.

    hits: SurfaceHits of these rays, from `SurfaceCaster.cast`.
    vertices: float32[V, 3], world units; may have moved a little since the cast.
    triangles: int[T, 3], in [0, V).
    origins: float32[N, 3], world units.
    directions: float32[N, 3], unit length.
    """
    rays = (x.detach().float().contiguous() for x in (origins, directions))
    barycentric, depth = _Intersect.apply(vertices.float().contiguous(), corner_rows(triangles), hits, *rays)
    return SurfaceHits(triangle=hits.triangle, barycentric=barycentric, depth=depth)


def interpolated(values: Tensor, triangles: Tensor, hits: SurfaceHits) -> Tensor:
    """Return the values at the hits, float32[N, C]; 0 where nothing is met. Gradients reach values and weights.

    values: float32[V, C], one row a vertex, or float32[T, 3, C], one a triangle's corner, such as UVs with seams.
    triangles: int[T, 3], in [0, V).
    hits: SurfaceHits; with weights of `differentiable_hits` gradients reach the vertices through them.
    """
    if values.dim() == 3:
        rows = torch.arange(3 * len(triangles), dtype=torch.int32, device=values.device)
    else:
        rows = corner_rows(triangles)
    table = values.float().reshape(-1, values.shape[-1]).contiguous()
    result: Tensor = _Interpolate.apply(table, hits.barycentric.contiguous(), rows, hits.triangle)
    return result


def corner_rows(triangles: Tensor) -> Tensor:
    """Return the vertex of every corner, int32[3 T], as the kernels read it: no copy of contiguous int32 triangles."""
    return triangles.to(torch.int32).contiguous().view(-1) if len(triangles) else triangles.new_zeros(0).int()


class _Intersect(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, vertices: Tensor, rows: Tensor, hits: SurfaceHits, origins: Tensor, directions: Tensor
    ) -> tuple[Tensor, Tensor]:
        barycentric, depth = torch.empty_like(hits.barycentric), torch.empty_like(hits.depth)
        if len(hits) and len(rows):
            arguments = [
                hits.triangle,
                warp_runtime.vectors(hits.barycentric),
                hits.depth,
                warp_runtime.vectors(vertices),
                rows,
                warp_runtime.vectors(origins),
                warp_runtime.vectors(directions),
                warp_runtime.vectors(barycentric),
                depth,
            ]
            warp_runtime.launch(kernels.intersect, len(hits), arguments, device=vertices.device, grain=4096)
        else:
            barycentric.zero_()
            depth.fill_(torch.inf)
        ctx.save_for_backward(vertices, rows, hits.triangle, directions, barycentric)
        return barycentric, depth

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        vertices, rows, triangle, directions, barycentric = ctx.saved_tensors
        if not len(triangle) or not len(rows):
            return torch.zeros_like(vertices), None, None, None, None
        to_barycentric, to_depth = (g.contiguous() for g in gradients)
        to_point = torch.empty_like(directions)
        arguments = [
            triangle,
            warp_runtime.vectors(vertices),
            rows,
            warp_runtime.vectors(directions),
            warp_runtime.vectors(to_barycentric),
            to_depth,
            warp_runtime.vectors(to_point),
        ]
        warp_runtime.launch(kernels.intersect_gradient, len(triangle), arguments, device=vertices.device, grain=4096)
        return added_to_rows(triangle, barycentric, rows, to_point, vertices), None, None, None, None


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, barycentric: Tensor, rows: Tensor, triangle: Tensor) -> Tensor:
        ctx.save_for_backward(values, barycentric, rows, triangle)
        count, channels = len(triangle), values.shape[1]
        if not count or not len(rows):
            return values.new_zeros(count, channels)
        result = values.new_empty(count, channels)
        arguments = [triangle, warp_runtime.vectors(barycentric), rows, values, channels, result]
        warp_runtime.launch(kernels.interpolate, count, arguments, device=values.device, grain=4096)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        values, barycentric, rows, triangle = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_values = to_barycentric = None
        if ctx.needs_input_grad[0]:
            to_values = added_to_rows(triangle, barycentric, rows, gradient, values)
        if ctx.needs_input_grad[1]:
            to_barycentric = torch.zeros_like(barycentric)
            if len(triangle) and len(rows):
                arguments = [triangle, rows, values, values.shape[1], gradient, warp_runtime.vectors(to_barycentric)]
                kernel = kernels.interpolate_weight_gradient
                warp_runtime.launch(kernel, len(triangle), arguments, device=values.device, grain=4096)
        return to_values, to_barycentric, None, None


def added_to_rows(triangle: Tensor, barycentric: Tensor, rows: Tensor, gradient: Tensor, values: Tensor) -> Tensor:
    """Return the gradient of values that rays interpolate, float32 like `values`: w_k times the ray's, in ray order.

    triangle: int64[N]. barycentric: float32[N, 3]. rows: int32[3 T]. gradient: float32[N, C], contiguous.
    values: float32[K, C].
    """
    result = torch.zeros_like(values)
    if not len(triangle) or not len(rows) or not values.numel():
        return result
    shared = [triangle, warp_runtime.vectors(barycentric), rows, values.shape[1], gradient, result]
    if values.device.type == "cpu":
        parts = warp_runtime.owners()
        arguments = [len(triangle), parts, *shared]
        warp_runtime.launch(kernels.add_to_rows, parts, arguments, device=values.device, grain=1)
    else:
        warp_runtime.launch(kernels.add_to_rows_atomic, len(triangle), shared, device=values.device)
    return result
