"""The exact mesh of a corpus object: marching cubes over the distance function that its pictures are traced from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import warp as wp
from numpy.typing import NDArray
from skimage.measure import marching_cubes
from torch import Tensor

from dreamfusion_engine.machine.warp_runtime import array, launch, vectors
from training.starter.distance import part_distance, union_distance
from training.starter.pattern import second_colour
from training.starter.primitives import Part

REACH = 1.05  # world units: half side of the lattice, a little more than the box that objects lie in


@wp.kernel(enable_backward=False)
def distances(
    begin: int,
    points: wp.array(dtype=wp.vec3),
    count: int,
    shape: wp.array(dtype=wp.int32),
    centre: wp.array(dtype=wp.vec3),
    rotation: wp.array(dtype=wp.mat33),
    size: wp.array(dtype=wp.vec4),
    out: wp.array(dtype=float),
) -> None:
    item = begin + wp.tid()
    out[item] = union_distance(points[item], 0, count, shape, centre, rotation, size)[0]


@wp.kernel(enable_backward=False)
def paints(
    begin: int,
    points: wp.array(dtype=wp.vec3),
    count: int,
    shape: wp.array(dtype=wp.int32),
    centre: wp.array(dtype=wp.vec3),
    rotation: wp.array(dtype=wp.mat33),
    size: wp.array(dtype=wp.vec4),
    pattern: wp.array(dtype=wp.int32),
    nearest: wp.array(dtype=wp.int32),
    patterned: wp.array(dtype=wp.int32),
) -> None:
    item = begin + wp.tid()
    k = int(union_distance(points[item], 0, count, shape, centre, rotation, size)[1])
    local = wp.transpose(rotation[k]) * (points[item] - centre[k])
    e = float(1.0e-3)
    base = part_distance(shape[k], local, size[k])
    gradient = wp.vec3(
        part_distance(shape[k], local + wp.vec3(e, 0.0, 0.0), size[k]) - base,
        part_distance(shape[k], local + wp.vec3(0.0, e, 0.0), size[k]) - base,
        part_distance(shape[k], local + wp.vec3(0.0, 0.0, e), size[k]) - base,
    )
    nearest[item] = k
    patterned[item] = 0
    if pattern[k] != 0 and second_colour(pattern[k], shape[k], local, wp.normalize(gradient), size[k]):
        patterned[item] = 1


def signed_distance(parts: Sequence[Part], points: Tensor) -> Tensor:
    """Return the distance of points to the union of the parts, float32[N], negative inside, world units.

    It is exact outside for most primitives, and a lower bound near ellipsoids and between overlapping parts.

    parts: Parts of the object.
    points: float32[N, 3], world units.
    """
    device = points.device
    out = torch.empty(len(points), device=device)
    arguments = [vectors(points.contiguous()), *_primitives(parts, device), wp.from_torch(out, return_ctype=True)]
    launch(distances, len(points), arguments, device=device)
    return out


def nearest_parts(parts: Sequence[Part], points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the part nearest to each point, int32[N], and the colour that it has there, float32[N, 3], sRGB in [0, 1].

    parts: Parts of the object.
    points: float32[N, 3], world units, on the surface.
    """
    device = points.device
    nearest, patterned = (torch.empty(len(points), dtype=torch.int32, device=device) for _ in range(2))
    pattern = torch.tensor([p.pattern for p in parts], dtype=torch.int32, device=device)
    arguments = [vectors(points.contiguous()), *_primitives(parts, device), pattern, nearest, patterned]
    launch(paints, len(points), arguments, device=device)
    own, second = (torch.tensor(c, device=device) for c in ([p.colour for p in parts], [p.second for p in parts]))
    index = nearest.long()
    return nearest, torch.where(patterned[:, None] > 0, second[index], own[index])


def _primitives(parts: Sequence[Part], device: torch.device) -> list[Any]:
    """A kernel's arguments of parts: their number, shape, centre, rotation and size."""

    def real(values: object) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device)

    return [
        len(parts),
        torch.tensor([p.shape for p in parts], dtype=torch.int32, device=device),
        vectors(real([p.centre for p in parts])),
        wp.from_torch(real([p.rotation for p in parts]), dtype=wp.mat33, return_ctype=True),
        array(real([p.size for p in parts]), wp.vec4),
    ]


def lattice_points(resolution: int, device: torch.device) -> Tensor:
    """Return the corners of a lattice over [-REACH, REACH]^3, float32[(resolution + 1)^3, 3], z fastest.

    resolution: int, cells along a side.
    device: torch.device of the points.
    """
    axis = torch.linspace(-REACH, REACH, resolution + 1, device=device)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).view(-1, 3)


def exact_mesh(
    parts: Sequence[Part], resolution: int, device: torch.device
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return the object's surface: vertices float32[V, 3], world units, and triangles int32[T, 3] that face outward.

    parts: Parts of the object.
    resolution: int, lattice cells along the box; details thinner than a cell are lost.
    device: torch.device to compute on.
    """
    values = signed_distance(parts, lattice_points(resolution, device)).view((resolution + 1,) * 3)
    spacing = 2.0 * REACH / resolution
    vertices, triangles, _, _ = marching_cubes(values.cpu().numpy(), 0.0, spacing=(spacing,) * 3)
    return (vertices - REACH).astype(np.float32), np.ascontiguousarray(triangles, dtype=np.int32)
