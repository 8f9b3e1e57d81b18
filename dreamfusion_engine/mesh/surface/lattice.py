"""The density on the corners of cubic cells over the box [-1, 1]^3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from dreamfusion_engine.mesh.arrays import Bools, Floats
from dreamfusion_engine.mesh.field_queries import Density, query_density

Corners = TypeVar("Corners", Floats, Bools)


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """Density at the (N + 1)^3 corners of N^3 cells; the outermost corners are 0, so that every surface closes.

    values: float32[N + 1, N + 1, N + 1], axes x, y, z, 1 / world unit, at least 0.
    known: bool, same shape; False where the value is interpolated from a coarser lattice.
    """

    values: Floats
    known: Bools

    @property
    def resolution(self) -> int:
        """N, cells along the box."""
        return self.values.shape[0] - 1


def sample_lattice(density: Density, resolution: int, device: torch.device) -> Lattice:
    """Ask the field at every inner corner of a lattice.

    density: as for `extract_surface`.
    resolution: int, cells along the box.
    device: torch.device of the field.
    Raises RunError run.non_finite.
    """
    shape = (resolution + 1,) * 3
    known = np.zeros(shape, bool)
    known[1:-1, 1:-1, 1:-1] = True
    values = np.zeros(shape, np.float32)
    ask_corners(density, values, np.flatnonzero(known), device)
    return Lattice(values=values, known=np.ones(shape, bool))


def cell_range(corners: Corners) -> tuple[Corners, Corners]:
    """Return smallest and largest of each cell's eight corners: [N, N, N] each, from [N + 1, N + 1, N + 1]."""
    low = high = corners
    for axis in range(3):
        head = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        tail = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        low, high = np.minimum(low[head], low[tail]), np.maximum(high[head], high[tail])
    return low, high


def corners_of(cells: Bools) -> Bools:
    """Return the corners, bool[N + 1, N + 1, N + 1], that belong to at least one marked cell, bool[N, N, N]."""
    return cell_range(np.pad(cells, 1))[1]


def corner_points(indices: np.ndarray, resolution: int) -> Floats:
    """Return world positions float32[n, 3] of corners given by flat index into [N + 1, N + 1, N + 1].

    indices: int64[n].
    resolution: int, N, cells along the box.
    """
    steps = np.stack(np.unravel_index(indices, (resolution + 1,) * 3), -1)
    return (steps * (2.0 / resolution) - 1.0).astype(np.float32)


def ask_corners(density: Density, values: Floats, indices: np.ndarray, device: torch.device) -> None:
    """Write the density into `values` at the corners of the given flat indices.

    density: as for `extract_surface`.
    values: float32[N + 1, N + 1, N + 1], changed in place.
    indices: int[n], flat.
    device: torch.device of the field.
    Raises RunError run.non_finite.
    """
    flat = values.reshape(-1)
    for start in range(0, len(indices), 1 << 20):  # positions in pieces: 512^3 corners would take gigabytes
        piece = indices[start : start + (1 << 20)]
        flat[piece] = query_density(density, corner_points(piece, values.shape[0] - 1), device)


def make_border(corners: Corners, value: float) -> None:
    """Set the outermost corners to `value`, in place.

    corners: float32[N + 1, N + 1, N + 1].
    value: float.
    """
    for axis in range(3):
        for end in (0, -1):
            np.moveaxis(corners, axis, 0)[end] = value
