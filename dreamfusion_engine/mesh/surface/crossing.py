"""Find triangles of a surface that pass through each other (Warp, on the CPU)."""

# Annotations are evaluated here (no `from __future__ import annotations`): Warp must see the array types.
from typing import Any

import numpy as np
import torch
import warp as wp

from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.mesh.arrays import Ints
from dreamfusion_engine.mesh.casting import caster
from dreamfusion_engine.mesh.surface.topology import Triangles, Vertices


@wp.func
def corner(points: wp.array(dtype=wp.vec3), vertex: int) -> wp.vec3d:
    p = points[vertex]
    return wp.vec3d(wp.float64(p[0]), wp.float64(p[1]), wp.float64(p[2]))


@wp.func
def six_volumes(a: wp.vec3d, b: wp.vec3d, c: wp.vec3d, d: wp.vec3d) -> wp.float64:
    return wp.dot(wp.cross(b - a, c - a), d - a)


@wp.func
def an_edge_pierces(points: wp.array(dtype=wp.vec3), triangles: wp.array(dtype=int), i: int, j: int) -> bool:
    zero = wp.float64(0.0)
    j0 = triangles[3 * j]
    j1 = triangles[3 * j + 1]
    j2 = triangles[3 * j + 2]
    p = corner(points, j0)
    q = corner(points, j1)
    r = corner(points, j2)
    found = bool(False)
    for k in range(3):
        start = triangles[3 * i + k]
        end = triangles[3 * i + (k + 1) % 3]
        # An edge that ends in a corner of the other triangle can only touch it.
        apart = start != j0 and start != j1 and start != j2 and end != j0 and end != j1 and end != j2
        if apart and not found:
            a = corner(points, start)
            b = corner(points, end)
            if six_volumes(p, q, r, a) * six_volumes(p, q, r, b) < zero:
                x = six_volumes(a, b, p, q)
                y = six_volumes(a, b, q, r)
                z = six_volumes(a, b, r, p)
                found = (x > zero and y > zero and z > zero) or (x < zero and y < zero and z < zero)
    return found


@wp.kernel(enable_backward=False)
def count_crossings(
    begin: int,
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    triangles: wp.array(dtype=int),
    crossed: wp.array(dtype=int),
) -> None:
    i = begin + wp.tid()
    a = points[triangles[3 * i]]
    b = points[triangles[3 * i + 1]]
    c = points[triangles[3 * i + 2]]
    nearby = wp.mesh_query_aabb(mesh, wp.min(a, wp.min(b, c)), wp.max(a, wp.max(b, c)))
    j = int(0)
    count = int(0)
    while wp.mesh_query_aabb_next(nearby, j):
        if j != i and (an_edge_pierces(points, triangles, i, j) or an_edge_pierces(points, triangles, j, i)):
            count += 1
    crossed[i] = count


def crossings_of(vertices: Vertices, triangles: Triangles) -> Ints:
    """Return how many other triangles each triangle crosses, int32[T]: half the sum is the number of pairs.

    Two triangles cross if an edge of one passes through the inside of the other, in double precision on the vertices
    as a file holds them. Triangles that only touch, share an edge, or lie in one plane do not.

    vertices: float[V, 3], rounded to float32.
    triangles: int[T, 3].
    """
    if len(triangles) == 0:
        return np.zeros(0, np.int32)
    device = torch.device("cpu")
    scene = caster(vertices, triangles, device)
    crossed = torch.zeros(len(triangles), dtype=torch.int32)
    arguments: list[Any] = [scene.mesh.id, warp_runtime.vectors(scene.vertices, 3), scene.triangles, crossed]
    warp_runtime.launch(count_crossings, len(triangles), arguments, device=device)
    return np.asarray(crossed.numpy())
