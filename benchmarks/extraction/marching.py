"""Marching cubes with gradients: every vertex as a function of the two scalars on its lattice edge.

Axis letters: N cells along the box, V vertices, T triangles.
"""

from __future__ import annotations

import numpy as np
import torch
from skimage.measure import marching_cubes
from torch import Tensor, nn

from benchmarks.extraction.flexible_cubes import Surface, closed

_NEAREST = 1e-3  # of a scalar's size: a corner on the level would give triangles without area


def marching_surface(scalars: Tensor, half: float) -> Surface:
    """Return the surface where the scalars change sign.

    The few vertices that marching cubes puts inside a cell have no gradient.

    scalars: float32[N + 1, N + 1, N + 1], negative inside; the outermost are positive.
    half: float, world units: the lattice lies over [-half, half]^3.
    """
    cells = scalars.shape[0] - 1
    apart = torch.where(scalars < 0.0, scalars.clamp(max=-_NEAREST), scalars.clamp(min=_NEAREST))
    corners, triangles, _, _ = marching_cubes(apart.detach().numpy(), 0.0)
    place = corners.astype(np.float64)
    offset = np.abs(place - np.rint(place))
    axis, rows = offset.argmax(1), np.arange(len(place))
    low = np.rint(place).astype(np.int64)
    low[rows, axis] = np.floor(place[rows, axis]).astype(np.int64)
    on_edge = np.sort(offset, 1)[:, 1] < 1e-3
    high = low.copy()
    high[rows, axis] = np.minimum(low[rows, axis] + 1, cells)
    a, b = (apart[tuple(torch.from_numpy(each.T.copy()))] for each in (low, high))
    crossed = torch.from_numpy(on_edge) & ((a < 0.0) != (b < 0.0))
    share = torch.where(crossed, a / torch.where(crossed, a - b, 1.0), 0.0)
    direction = torch.from_numpy(np.eye(3, dtype=np.float32)[axis])
    found = torch.where(
        crossed[:, None],
        torch.from_numpy(low.astype(np.float32)) + share[:, None] * direction,
        torch.from_numpy(corners.astype(np.float32)),
    )
    vertices = found * (2.0 * half / cells) - half
    return Surface(
        vertices=vertices, triangles=torch.from_numpy(triangles.astype(np.int64)), deviation=share.new_zeros(())
    )


class MarchingCubes(nn.Module):
    """The scalars of a lattice over [-half, half]^3, as `FlexibleCubes` has them, without its weights and moves.

    scalars: float32[N + 1, N + 1, N + 1], at first, negative inside.
    half: float, world units.
    """

    def __init__(self, scalars: Tensor, half: float) -> None:
        super().__init__()
        self._half = half
        self.scalars = nn.Parameter(scalars.clone())

    def surface(self) -> Surface:
        """Return the surface as it is now."""
        return marching_surface(closed(self.scalars), self._half)
