"""Refine a lattice only where the surface may be, without asking the field everywhere.

A coarse lattice is asked whole. Then the resolution is doubled again and again: new corners are interpolated, and those
in cells that the level may cross, or that touch such cells, are asked. At the end the surface is followed: as long as a
cell that it crosses has an interpolated corner, that corner and its neighbours are asked. So the final surface lies
wholly in asked cells. It can only miss what falls entirely between the coarse corners.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from dreamfusion_engine.mesh.field_queries import Density
from dreamfusion_engine.mesh.surface.closing import RADIUS, closed_lattice, doubled
from dreamfusion_engine.mesh.surface.lattice import Lattice, ask_corners, cell_range, corners_of, make_border

COARSE = 64  # fewest cells along the box of the first pass: as fine as the default training samples, 2 / 64 apart
HAZE = 0.25  # share of the level from which a coarse cell is looked at more closely: thin parts are faint there


def coarse_resolution(resolution: int) -> int:
    """Return the cells of the first pass: `resolution` halved as often as it stays whole and at least COARSE."""
    while resolution % 2 == 0 and resolution // 2 >= COARSE:
        resolution //= 2
    return resolution


def refine_lattice(density: Density, lattice: Lattice, level: float, device: torch.device) -> Lattice:
    """Return the lattice at twice the resolution, asked near the surface of `level`, interpolated elsewhere.

    density: the field's.
    lattice: Lattice.
    level: float, density of the surface.
    device: torch.device of the field.
    """
    # The noise behind a closed surface need not be asked for; where the closing was wrong, follow_surface goes in.
    solid = closed_lattice(lattice, level, RADIUS).values
    low, high = cell_range(solid)
    crossed = (low < level) & (high > HAZE * level)
    near = ndimage.binary_dilation(crossed, np.ones((3, 3, 3), bool))
    wanted = corners_of(near.repeat(2, 0).repeat(2, 1).repeat(2, 2))
    values = doubled(solid)
    known = np.zeros(values.shape, bool)
    known[::2, ::2, ::2] = lattice.known & (solid == lattice.values)
    make_border(values, 0.0)
    make_border(known, True)
    ask = np.flatnonzero(wanted & ~known)
    ask_corners(density, values, ask, device)
    known.reshape(-1)[ask] = True
    return Lattice(values=values, known=known)


def follow_surface(
    density: Density, lattice: Lattice, level: float, radius: float, device: torch.device
) -> tuple[Lattice, Lattice]:
    """Ask the field until all cells that the closed surface crosses are known; return lattice and closed lattice.

    density: as for `extract_surface`.
    lattice: Lattice.
    level: float, of the surface, 1 / world unit.
    radius: float, of the ball that closes it, world units.
    device: torch.device of the field.
    """
    values, known = lattice.values.copy(), lattice.known.copy()
    while True:
        found = Lattice(values=values, known=known)
        closed = closed_lattice(found, level, radius)
        low, high = cell_range(closed.values)
        open_cells = (low < level) & (high >= level) & ~cell_range(known)[0]
        if not open_cells.any():
            return found, closed
        ask = np.flatnonzero(corners_of(ndimage.binary_dilation(open_cells)) & ~known)
        ask_corners(density, values, ask, device)
        known.reshape(-1)[ask] = True
