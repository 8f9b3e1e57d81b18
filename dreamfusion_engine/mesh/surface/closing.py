"""Close pits and tunnels that are narrower than training could resolve, and everything behind them.

Pictures say nothing about what hardly any ray reaches: undersides, crevices, the inside. Training leaves noise there,
and the level set of noise is a sponge, with hundreds of handles and more surface inside than outside. A ball of
`radius` that rolls over the object from outside does not enter it. What the ball cannot reach becomes solid (the
morphological closing by a ball, Serra 1982).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from dreamfusion_engine.mesh.arrays import Floats
from dreamfusion_engine.mesh.surface.lattice import Lattice, make_border

RADIUS = 2.0 / 64.0  # world units: one step between the samples of a default training ray
FAR = 3.0  # log-densities are cut at e^3 times the level and its inverse: beyond, they say nothing about the crossing
INSIDE = (
    0.75  # cells by which the closed surface stays behind an open one: distances are known to half a cell's diagonal
)
FINEST = 200  # cells along the box at which distances are taken; finer lattices get them interpolated


def closed_lattice(lattice: Lattice, level: float, radius: float) -> Lattice:
    """Return the lattice with the density raised above `level` wherever a ball cannot come.

    Where it is raised, known is False: the field itself says something else there. Cavities are filled in any case.

    lattice: Lattice.
    level: float, 1 / world unit.
    radius: float, of the ball, world units.
    """
    stride = 1
    while lattice.resolution // stride > FINEST and lattice.resolution % (2 * stride) == 0:
        stride *= 2
    cells = lattice.resolution // stride
    coarse = np.ascontiguousarray(lattice.values[::stride, ::stride, ::stride])
    depth = stride * filled_depth(coarse, level, 0.5 * radius * cells)
    while stride > 1:
        depth, stride = doubled(depth), stride // 2
    make_border(depth, -FAR)
    raised = (np.float32(level) * np.exp(np.clip(depth, -FAR, FAR))).astype(np.float32)
    higher = (depth > -FAR) & (raised > lattice.values)
    return Lattice(values=np.where(higher, raised, lattice.values), known=lattice.known & ~higher)


def filled_depth(values: Floats, level: float, radius: float) -> Floats:
    """Return each corner's depth inside the closed solid, cells, float32 as values; negative outside, at least -FAR.

    values: float32[N + 1, N + 1, N + 1] with an empty border.
    level: float, 1 / world unit.
    radius: float, of the ball, cells.
    """
    depth = np.full(values.shape, -FAR, np.float32)
    solid = values >= level
    if not solid.any():
        return depth
    reach = int(np.ceil(radius)) + 2
    spans = [np.flatnonzero(solid.any(tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    crop = tuple(slice(max(0, int(s[0]) - reach), int(s[-1]) + reach + 1) for s in spans)
    # The padding stands for the outside, also where the object touches the box.
    room = np.pad(~solid[crop], reach, constant_values=True)
    free, _ = ndimage.label(ndimage.distance_transform_edt(room) > radius)
    outside = free == free[0, 0, 0]  # where the ball's centre can go
    inner = tuple(slice(reach, -reach) for _ in range(3))
    inward = ndimage.distance_transform_edt(~outside)[inner] - radius - INSIDE
    depth[crop] = np.maximum(inward, -FAR)
    return depth


def doubled(values: Floats) -> Floats:
    """Return the lattice at twice the resolution, linear: float32[2 N + 1, ...] from float32[N + 1, ...]."""
    for axis in range(3):
        v = np.moveaxis(values, axis, 0)
        out = np.empty((2 * v.shape[0] - 1, *v.shape[1:]), np.float32)
        out[::2] = v
        out[1::2] = 0.5 * (v[:-1] + v[1:])
        values = np.moveaxis(out, 0, axis)
    return np.ascontiguousarray(values)
