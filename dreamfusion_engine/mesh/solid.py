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

from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.mesh.arrays import Doubles
from dreamfusion_engine.mesh.casting import caster

CELLS = 96  # along the box [-1, 1]^3
REACH = 0.5  # world units: longer distances count as this one
NEAR = 0.06  # world units, more than a cell's diagonal: the sign may change between points that are nearer
_FAR = 4.0  # world units: the box's diagonal is shorter
STRIDE = 4  # lattice points from one that is asked first to the next
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
    """
    scene = caster(vertices, triangles, device, winding=True)  # owns the memory that its mesh works on
    mesh = scene.mesh
    along = torch.linspace(-1.0, 1.0, CELLS + 1, device=device)
    z, y, x = torch.meshgrid(along, along, along, indexing="ij")
    lattice = torch.stack([x, y, z], -1).reshape(-1, 3).contiguous()
    distance = _asked(distance_within, mesh, lattice, REACH)
    distance = distance * _signs(mesh, lattice, distance)
    thickness = SHEET * 2.0 / CELLS
    near = distance.abs() < thickness
    if int((distance < 0.0).sum()) < int(near.sum()) // 2:  # of a solid, half of what is near is inside, and more
        distance = torch.minimum(distance, distance.abs() - thickness)
    return distance.view(CELLS + 1, CELLS + 1, CELLS + 1)


def _signs(mesh: wp.Mesh, lattice: Tensor, distance: Tensor) -> Tensor:
    """-1 inside, 1 outside, float32[n^3].

    The winding number costs much more than a distance. It is asked at every STRIDE-th point first; blocks whose corners
    agree have their sign, but for points near the surface. All others are asked one by one.
    """
    n = CELLS + 1
    corners = lattice.view(n, n, n, 3)[::STRIDE, ::STRIDE, ::STRIDE]
    coarse = _asked(winding_sign, mesh, corners.reshape(-1, 3).contiguous(), _FAR).view(corners.shape[:3])
    inside = torch.nn.functional.max_pool3d(-coarse[None, None], 2, 1)[0, 0] > 0.0
    outside = torch.nn.functional.max_pool3d(coarse[None, None], 2, 1)[0, 0] > 0.0
    block = (torch.arange(n, device=lattice.device) // STRIDE).clamp_max(CELLS // STRIDE - 1)
    z, y, x = torch.meshgrid(block, block, block, indexing="ij")
    signs = torch.where(inside, -1.0, 1.0)[z, y, x].reshape(-1)
    unsure = (distance < NEAR) | (inside & outside)[z, y, x].reshape(-1)
    signs[unsure] = _asked(winding_sign, mesh, lattice[unsure].contiguous(), _FAR)
    return signs


def _asked(kernel: object, mesh: wp.Mesh, points: Tensor, reach: float) -> Tensor:
    out = torch.empty(len(points), device=points.device)
    arguments = [mesh.id, warp_runtime.vectors(points), reach, out]
    warp_runtime.launch(kernel, len(points), arguments, device=points.device)
    return out
