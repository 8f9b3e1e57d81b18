"""Multiresolution hash encoding (Mueller 2022, arXiv 2201.05989, section 3) on Warp kernels.

Axis letters: N points, L levels, F features, T table entries of all levels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from dreamfusion_engine.field.hash_grid_kernels import POINT_BLOCK, grid_kernels
from dreamfusion_engine.machine import warp_runtime


def level_resolutions(levels: int, base: int, finest: int) -> list[int]:
    """Return the cells along the box of each level, a geometric progression.

    levels: int, L.
    base, finest: int, cells of the first and the last level.
    Source: Mueller 2022, arXiv 2201.05989, eq. 2-3.
    """
    growth = (finest / base) ** (1.0 / max(1, levels - 1))
    return [round(base * growth**level) for level in range(levels)]


class HashGrid(nn.Module):
    """Learnable features on L grids of rising resolution, interpolated trilinearly; fine grids hash their vertices.

    The initial entries are U(-1e-4, 1e-4) (Mueller 2022, section 4).

    levels: int, L.
    features: int, F, for each level.
    log2_table: int; a level has at most 2^log2_table entries. A level whose vertices fit is stored densely.
    base, finest: int, cells along the box [-1, 1] of the first and the last level.
    generator: CPU generator of the initial entries.
    """

    resolutions: Tensor
    offsets: Tensor
    masks: Tensor
    all_levels: Tensor

    def __init__(
        self, *, levels: int, features: int, log2_table: int, base: int, finest: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.levels = levels
        self.features = features
        resolutions = level_resolutions(levels, base, finest)
        capacity = 2**log2_table
        sizes = [min((r + 1) ** 3, capacity) for r in resolutions]
        masks = [0 if (r + 1) ** 3 <= capacity else capacity - 1 for r in resolutions]
        offsets = [sum(sizes[:level]) for level in range(levels)]
        entries = torch.rand(sum(sizes), features, generator=generator)
        self.table = nn.Parameter((2.0 * entries - 1.0) * 1e-4)
        self.register_buffer("resolutions", torch.tensor(resolutions, dtype=torch.int32), persistent=False)
        self.register_buffer("offsets", torch.tensor(offsets, dtype=torch.int32), persistent=False)
        self.register_buffer("masks", torch.tensor(masks, dtype=torch.int32), persistent=False)
        self.register_buffer("all_levels", torch.ones(levels), persistent=False)

    def forward(self, points: Tensor, level_weight: Tensor | None = None) -> Tensor:
        """Return features float32[N, L * F] at the points.

        The gradient to the points is computed only where they ask for it.

        points: float32[N, 3], world units; outside [-1, 1] the nearest point of the box counts.
        level_weight: float32[L] in [0, 1], no gradient; each level's features are multiplied by it, and a level of
            weight 0 costs next to nothing. None: all are 1.
        """
        weight = self.all_levels if level_weight is None else level_weight
        encoded: Tensor = _Encode.apply(points.contiguous(), self.table, weight, self)
        return encoded

    def encode(self, points: Tensor, level_weight: Tensor) -> Tensor:
        """Return the values of `forward`, outside autograd.

        points: float32[N, 3], world units, contiguous.
        level_weight: float32[L] in [0, 1].
        """
        kernels = grid_kernels(self.features)
        count = points.shape[0]
        block = POINT_BLOCK if points.device.type == "cpu" else 1
        encoded = torch.empty(count, self.levels * self.features, device=points.device)
        table = warp_runtime.array(self.table, kernels.feature)
        out = warp_runtime.array(encoded, kernels.feature)
        warp_runtime.launch(
            kernels.encode,
            -(-count // block) * self.levels,
            [warp_runtime.vectors(points), table, *self._geometry(level_weight), count, block, out],
            device=points.device,
            grain=self.levels,
        )
        return encoded

    def table_gradient(self, points: Tensor, gradient: Tensor, level_weight: Tensor) -> Tensor:
        """Return d loss / d table, float32[T, F].

        points: float32[N, 3], world units, contiguous.
        gradient: float32[N, L * F], d loss / d encoded, contiguous.
        level_weight: float32[L] in [0, 1].
        """
        kernels = grid_kernels(self.features)
        count = points.shape[0]
        on_cpu = points.device.type == "cpu"
        result = torch.zeros_like(self.table)
        arrays = [warp_runtime.vectors(points), warp_runtime.array(gradient, kernels.feature)]
        warp_runtime.launch(
            kernels.table_gradient if on_cpu else kernels.table_gradient_atomic,
            self.levels if on_cpu else self.levels * count,
            [*arrays, *self._geometry(level_weight), count, warp_runtime.array(result, kernels.feature)],
            device=points.device,
            grain=1 if count > POINT_BLOCK else self.levels,
        )
        return result

    def point_gradient(self, points: Tensor, gradient: Tensor, level_weight: Tensor) -> Tensor:
        """Return d loss / d points, float32[N, 3]; right-sided on the faces between cells.

        points: float32[N, 3], world units, contiguous.
        gradient: float32[N, L * F], d loss / d encoded, contiguous.
        level_weight: float32[L] in [0, 1].
        """
        kernels = grid_kernels(self.features)
        result = torch.empty_like(points)
        warp_runtime.launch(
            kernels.point_gradient,
            points.shape[0],
            [
                warp_runtime.vectors(points),
                warp_runtime.array(gradient, kernels.feature),
                warp_runtime.array(self.table, kernels.feature),
                *self._geometry(level_weight),
                warp_runtime.vectors(result),
            ],
            device=points.device,
        )
        return result

    def _geometry(self, level_weight: Tensor) -> list[Any]:
        return [self.resolutions, self.offsets, self.masks, level_weight, self.levels]


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, level_weight: Tensor, grid: HashGrid) -> Tensor:
        # The weights may be changed in place (levels open) before backward runs.
        ctx.save_for_backward(points, level_weight.clone())
        ctx.grid = grid
        return grid.encode(points, level_weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        points, level_weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        grid: HashGrid = ctx.grid
        to_points = grid.point_gradient(points, gradient, level_weight) if ctx.needs_input_grad[0] else None
        to_table = grid.table_gradient(points, gradient, level_weight) if ctx.needs_input_grad[1] else None
        return to_points, to_table, None, None
