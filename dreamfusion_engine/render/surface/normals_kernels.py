"""Warp kernels of triangles' normals and angles, and their gradients.

Axis letters: T triangles. For the order in which gradients are added see `hits_kernels`.
"""

# Annotations are evaluated here (no `from __future__ import annotations`): Warp must see the array types.
import warp as wp

from dreamfusion_engine.render.surface.hits_kernels import OWNED


@wp.kernel(enable_backward=False)
def shape_of_triangles(
    begin: int,
    vertices: wp.array(dtype=wp.vec3),
    rows: wp.array(dtype=int),
    normal: wp.array(dtype=wp.vec3),
    angle: wp.array(dtype=wp.vec3),
) -> None:
    """Unit normal and the angles at the three corners, radians; 0 without area or where a corner is not finite."""
    f = begin + wp.tid()
    a = vertices[rows[3 * f]]
    b = vertices[rows[3 * f + 1]]
    c = vertices[rows[3 * f + 2]]
    n = wp.cross(b - a, c - a)
    twice_area = wp.length(n)
    normal[f] = wp.vec3()
    angle[f] = wp.vec3()
    if twice_area > 0.0 and wp.isfinite(twice_area):
        normal[f] = n / twice_area
        # The cross product of every two sides has this length.
        angle[f] = wp.vec3(
            wp.atan2(twice_area, wp.dot(b - a, c - a)),
            wp.atan2(twice_area, wp.dot(c - b, a - b)),
            wp.atan2(twice_area, wp.dot(a - c, b - c)),
        )


@wp.kernel(enable_backward=False)
def corner_gradients(
    begin: int,
    vertices: wp.array(dtype=wp.vec3),
    rows: wp.array(dtype=int),
    normal_gradient: wp.array(dtype=wp.vec3),
    angle_gradient: wp.array(dtype=wp.vec3),
    to_corner: wp.array(dtype=wp.vec3),
) -> None:
    """The gradient with respect to the three corners; 0 where there is no normal.

    With N = ab x ac and n = N / |N|, dn = (I - n n^T) dN / |N|. The angle at a is d(angle) / db = -n x ab / |ab|^2 and
    d(angle) / dc = n x ac / |ac|^2; the other two likewise.
    """
    f = begin + wp.tid()
    to_corner[3 * f] = wp.vec3()
    to_corner[3 * f + 1] = wp.vec3()
    to_corner[3 * f + 2] = wp.vec3()
    a = vertices[rows[3 * f]]
    b = vertices[rows[3 * f + 1]]
    c = vertices[rows[3 * f + 2]]
    n = wp.cross(b - a, c - a)
    twice_area = wp.length(n)
    if twice_area > 0.0 and wp.isfinite(twice_area):
        n = n / twice_area
        g = normal_gradient[f]
        across = (g - wp.dot(n, g) * n) / twice_area
        h = angle_gradient[f]
        # n x side / |side|^2: how a side turns when its far end moves. An angle is the turn between two sides.
        ab = wp.cross(n, b - a) / wp.dot(b - a, b - a)
        bc = wp.cross(n, c - b) / wp.dot(c - b, c - b)
        ca = wp.cross(n, a - c) / wp.dot(a - c, a - c)
        to_b = wp.cross(c - a, across) + (h[1] - h[0]) * ab - (h[2] - h[1]) * bc
        to_c = wp.cross(across, b - a) + (h[2] - h[1]) * bc - (h[0] - h[2]) * ca
        to_corner[3 * f + 1] = to_b
        to_corner[3 * f + 2] = to_c
        to_corner[3 * f] = -1.0 * (to_b + to_c)


@wp.kernel(enable_backward=False)
def add_corners(
    begin: int,
    corners: int,
    parts: int,
    rows: wp.array(dtype=int),
    to_corner: wp.array(dtype=wp.vec3),
    to_vertex: wp.array(dtype=wp.vec3),
) -> None:
    """Sum what a vertex gets in its corners; one item a part, for a CPU."""
    part = begin + wp.tid()
    for i in range(corners):
        row = rows[i]
        if ((row >> OWNED) & (parts - 1)) == part:
            to_vertex[row] += to_corner[i]


@wp.kernel(enable_backward=False)
def add_corners_atomic(
    begin: int,
    rows: wp.array(dtype=int),
    to_corner: wp.array(dtype=wp.vec3),
    to_vertex: wp.array(dtype=wp.vec3),
) -> None:
    """Sum what a vertex gets in its corners; one item a corner, for CUDA."""
    i = begin + wp.tid()
    wp.atomic_add(to_vertex, rows[i], to_corner[i])
