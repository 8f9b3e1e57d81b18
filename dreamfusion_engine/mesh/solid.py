"""The solid that a mesh encloses, also an open or a broken one: signed distances on a lattice.

Inside is where the generalised winding number is above one half (Jacobson 2013, "Robust inside-outside segmentation
using generalized winding numbers"). It asks for no closed surface: a hole counts by the angle that it takes.
"""

# Annotations are evaluated here (no `from __future__ import annotations`): Warp must see the array types.
import numpy as np
import torch
import warp as wp
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.mesh.arrays import Doubles

CELLS = 96  # along the box [-1, 1]^3
REACH = 0.15  # world units: longer distances count as this one
NEAR = 0.06  # world units, more than a cell's diagonal: what is further has the sign of all around it
_FAR = 4.0  # world units: the box's diagonal is shorter
SHEET = 1.0  # cells: half of the thickness that a surface gets which encloses nothing


@wp.kernel(enable_backward=False)
def distance_within(
    begin: int, mesh: wp.uint64, points: wp.array(dtype=wp.vec3), reach: float, out: wp.array(dtype=float)
) -> None:
    i = begin + wp.tid()
    p = points[i]
    q = wp.mesh_query_point_no_sign(mesh, p, reach)
    out[i] = reach
    if q.result:
        out[i] = wp.length(wp.mesh_eval_position(mesh, q.face, q.u, q.v) - p)


@wp.kernel(enable_backward=False)
def winding_sign(
    begin: int, mesh: wp.uint64, points: wp.array(dtype=wp.vec3), reach: float, out: wp.array(dtype=float)
) -> None:
    i = begin + wp.tid()
    q = wp.mesh_query_point_sign_winding_number(mesh, points[i], reach)
    out[i] = wp.where(q.result, q.sign, 1.0)


def solid_distance(vertices: Doubles, triangles: NDArray[np.integer], device: torch.device) -> Tensor:
    """Return signed distances to the solid on a lattice, float32[n, n, n] in z, y, x, negative inside, world units.

    n = CELLS + 1 points lie along the box [-1, 1]^3; no distance is longer than REACH. A surface that encloses nothing,
    such as a sheet, counts as a solid of two SHEET cells' thickness.

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
    distance = _asked(distance_within, mesh, lattice, REACH)
    distance = distance * _signs(mesh, lattice, distance)
    thickness = SHEET * 2.0 / CELLS
    near = distance.abs() < thickness
    if int((distance < 0.0).sum()) < int(near.sum()) // 2:  # of a solid, half of what is near is inside, and more
        distance = torch.minimum(distance, distance.abs() - thickness)
    if not bool((distance < 0.0).any()):
        raise InputError(
            "input.mesh",
            what="The mesh gives no solid to start from.",
            why=f"It fills no point of a lattice of {CELLS} cells along its longest side.",
            fix="Give a mesh with some thickness.",
        )
    return distance.view(CELLS + 1, CELLS + 1, CELLS + 1)


def _signs(mesh: wp.Mesh, lattice: Tensor, distance: Tensor) -> Tensor:
    """-1 inside, 1 outside: asked point by point near the surface, and once for each region away from it."""
    signs = torch.ones_like(distance)
    near = distance < NEAR
    signs[near] = _asked(winding_sign, mesh, lattice[near].contiguous(), _FAR)
    side = CELLS + 1
    regions, count = ndimage.label((~near).cpu().numpy().reshape(side, side, side))
    flat = torch.from_numpy(regions.reshape(-1).astype(np.int64)).to(lattice.device)
    if count:
        _, first = np.unique(regions, return_index=True)
        one = lattice[torch.from_numpy(first[-count:]).to(lattice.device)].contiguous()
        of_region = _asked(winding_sign, mesh, one, _FAR)
        signs = torch.where(near, signs, torch.cat([of_region.new_ones(1), of_region])[flat])
    return signs


def _asked(kernel: object, mesh: wp.Mesh, points: Tensor, reach: float) -> Tensor:
    out = torch.empty(len(points), device=points.device)
    arguments = [mesh.id, warp_runtime.vectors(points), reach, out]
    warp_runtime.launch(kernel, len(points), arguments, device=points.device)
    return out
