"""The solid that a mesh encloses, also an open or a broken one: signed distances on a lattice.

Inside is where the generalised winding number is above one half (Jacobson 2013, "Robust inside-outside segmentation
using generalized winding numbers"). It asks for no closed surface: a hole counts by the angle that it takes.
"""

# Annotations are evaluated here (no `from __future__ import annotations`): Warp must see the array types.
import numpy as np
import torch
import warp as wp
from numpy.typing import NDArray
from torch import Tensor

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.mesh.arrays import Doubles

CELLS = 96  # along the box [-1, 1]^3
SHEET = 1.0  # cells: half of the thickness that a surface gets which encloses nothing
_FAR = 4.0  # world units: the box's diagonal is shorter


@wp.kernel(enable_backward=False)
def signed_distance(
    begin: int, mesh: wp.uint64, points: wp.array(dtype=wp.vec3), reach: float, out: wp.array(dtype=float)
) -> None:
    i = begin + wp.tid()
    p = points[i]
    q = wp.mesh_query_point_sign_winding_number(mesh, p, reach)
    out[i] = reach
    if q.result:
        out[i] = q.sign * wp.length(wp.mesh_eval_position(mesh, q.face, q.u, q.v) - p)


def solid_distance(vertices: Doubles, triangles: NDArray[np.integer], device: torch.device) -> Tensor:
    """Return signed distances to the solid on a lattice, float32[n, n, n] in z, y, x, negative inside, world units.

    n = CELLS + 1 points lie along the box [-1, 1]^3. A surface that encloses nothing, such as a sheet, counts as a
    solid of two SHEET cells' thickness.

    vertices: float64[V, 3], world units, in the box.
    triangles: int[T, 3].
    device: torch.device of the result.
    Raises InputError input.mesh where the solid fills no lattice point.
    """
    points = torch.from_numpy(np.ascontiguousarray(vertices, dtype=np.float32)).to(device)
    faces = torch.from_numpy(np.ascontiguousarray(triangles, dtype=np.int32)).to(device)
    mesh = wp.Mesh(
        points=wp.from_torch(points, dtype=wp.vec3, requires_grad=False),
        indices=wp.from_torch(faces.reshape(-1)),
        support_winding_number=True,
    )
    along = torch.linspace(-1.0, 1.0, CELLS + 1, device=device)
    z, y, x = torch.meshgrid(along, along, along, indexing="ij")
    lattice = torch.stack([x, y, z], -1).reshape(-1, 3).contiguous()
    distance = torch.empty(len(lattice), device=device)
    arguments = [mesh.id, warp_runtime.vectors(lattice), _FAR, distance]
    warp_runtime.launch(signed_distance, len(lattice), arguments, device=device)
    near = distance.abs() < SHEET * 2.0 / CELLS
    if int((distance < 0.0).sum()) < int(near.sum()) // 2:  # of a solid, half of what is near is inside, and more
        distance = torch.minimum(distance, distance.abs() - SHEET * 2.0 / CELLS)
    if not bool((distance < 0.0).any()):
        raise InputError(
            "input.mesh",
            what="The mesh gives no solid to start from.",
            why="It fills no point of a lattice of 96 cells along its longest side.",
            fix="Give a mesh with some thickness.",
        )
    return distance.view(CELLS + 1, CELLS + 1, CELLS + 1)
