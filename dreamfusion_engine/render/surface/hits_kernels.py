"""Warp kernels of rays on triangles: cast, intersect once more, interpolate, and their gradients.

Axis letters: N rays, V vertices, T triangles, C channels. Rows of misses (triangle -1) are 0 in every result.
Gradients are added to rows of values in the order of the rays. On a CPU each part owns some rows and reads all rays, so
the sums have the same bits for any number of parts. On CUDA the additions are atomic and meet in any order.
"""

# Annotations are evaluated here (no `from __future__ import annotations`): Warp must see the array types.
import warp as wp

GRAZING = 1e-3  # |cosine| between ray and normal below which a hit is kept as it was cast, without a gradient
OWNED = 4  # bits of the 16 neighbouring rows that one part owns: two cache lines of three floats a row and more


@wp.kernel(enable_backward=False)
def cast_rays(
    begin: int,
    mesh: wp.uint64,
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    triangle: wp.array(dtype=wp.int64),
    barycentric: wp.array(dtype=wp.vec3),
    depth: wp.array(dtype=float),
) -> None:
    i = begin + wp.tid()
    triangle[i] = wp.int64(-1)
    barycentric[i] = wp.vec3()
    depth[i] = wp.inf
    o = origins[i]
    d = directions[i]
    if wp.isfinite(wp.dot(o, o)) and wp.isfinite(wp.dot(d, d)):
        hit = wp.mesh_query_ray(mesh, o, d, 1.0e30)
        if hit.result:
            triangle[i] = wp.int64(hit.face)
            barycentric[i] = wp.vec3(hit.u, hit.v, 1.0 - hit.u - hit.v)
            depth[i] = hit.t


@wp.kernel(enable_backward=False)
def intersect(
    begin: int,
    triangle: wp.array(dtype=wp.int64),
    cast_barycentric: wp.array(dtype=wp.vec3),
    cast_depth: wp.array(dtype=float),
    vertices: wp.array(dtype=wp.vec3),
    triangles: wp.array(dtype=int),
    origins: wp.array(dtype=wp.vec3),
    directions: wp.array(dtype=wp.vec3),
    barycentric: wp.array(dtype=wp.vec3),
    depth: wp.array(dtype=float),
) -> None:
    """The ray's line with the plane of its own triangle: Moeller and Trumbore 1997."""
    i = begin + wp.tid()
    f = int(triangle[i])
    if f < 0:
        barycentric[i] = wp.vec3()
        depth[i] = wp.inf
        return
    a = vertices[triangles[3 * f]]
    ab = vertices[triangles[3 * f + 1]] - a
    ac = vertices[triangles[3 * f + 2]] - a
    d = directions[i]
    s = origins[i] - a
    p = wp.cross(d, ac)
    determinant = wp.dot(ab, p)  # minus the ray on the normal ab x ac
    if not wp.abs(determinant) > GRAZING * wp.length(wp.cross(ab, ac)):
        barycentric[i] = cast_barycentric[i]
        depth[i] = cast_depth[i]
        return
    q = wp.cross(s, ab)
    u = wp.dot(s, p) / determinant
    v = wp.dot(d, q) / determinant
    barycentric[i] = wp.vec3(1.0 - u - v, u, v)
    depth[i] = wp.dot(ac, q) / determinant


@wp.kernel(enable_backward=False)
def intersect_gradient(
    begin: int,
    triangle: wp.array(dtype=wp.int64),
    vertices: wp.array(dtype=wp.vec3),
    triangles: wp.array(dtype=int),
    directions: wp.array(dtype=wp.vec3),
    barycentric_gradient: wp.array(dtype=wp.vec3),
    depth_gradient: wp.array(dtype=float),
    point_gradient: wp.array(dtype=wp.vec3),
) -> None:
    """The gradient with respect to the surface's point under the ray; corner k gets its weight w_k of it.

    From o + t d = sum_k w_k p_k and m = sum_k w_k dp_k: dt = n . m / n . d and dw_k = g_k . (dt d - m), where g_k is
    the gradient of w_k in the triangle's plane. With y = sum_k (dL / dw_k) g_k,

    dL = ((dL / dt + y . d) / (n . d) n - y) . m.
    """
    i = begin + wp.tid()
    point_gradient[i] = wp.vec3()
    f = int(triangle[i])
    if f < 0:
        return
    a = vertices[triangles[3 * f]]
    b = vertices[triangles[3 * f + 1]]
    c = vertices[triangles[3 * f + 2]]
    d = directions[i]
    n = wp.cross(b - a, c - a)
    facing = wp.dot(n, d)
    if not wp.abs(facing) > GRAZING * wp.length(n):
        return
    g = barycentric_gradient[i]
    y = wp.cross(n, g[0] * (c - b) + g[1] * (a - c) + g[2] * (b - a)) / wp.dot(n, n)
    point_gradient[i] = ((depth_gradient[i] + wp.dot(y, d)) / facing) * n - y


@wp.kernel(enable_backward=False)
def interpolate(
    begin: int,
    triangle: wp.array(dtype=wp.int64),
    barycentric: wp.array(dtype=wp.vec3),
    rows: wp.array(dtype=int),
    values: wp.array(dtype=float),
    channels: int,
    result: wp.array(dtype=float),
) -> None:
    i = begin + wp.tid()
    f = int(triangle[i])
    if f < 0:
        for c in range(channels):
            result[i * channels + c] = 0.0
        return
    w = barycentric[i]
    ka = rows[3 * f] * channels
    kb = rows[3 * f + 1] * channels
    kc = rows[3 * f + 2] * channels
    for c in range(channels):
        result[i * channels + c] = w[0] * values[ka + c] + w[1] * values[kb + c] + w[2] * values[kc + c]


@wp.kernel(enable_backward=False)
def interpolate_weight_gradient(
    begin: int,
    triangle: wp.array(dtype=wp.int64),
    rows: wp.array(dtype=int),
    values: wp.array(dtype=float),
    channels: int,
    gradient: wp.array(dtype=float),
    to_barycentric: wp.array(dtype=wp.vec3),
) -> None:
    i = begin + wp.tid()
    to_barycentric[i] = wp.vec3()
    f = int(triangle[i])
    if f < 0:
        return
    ka = rows[3 * f] * channels
    kb = rows[3 * f + 1] * channels
    kc = rows[3 * f + 2] * channels
    total = wp.vec3()
    for c in range(channels):
        total += gradient[i * channels + c] * wp.vec3(values[ka + c], values[kb + c], values[kc + c])
    to_barycentric[i] = total


@wp.kernel(enable_backward=False)
def add_to_rows(
    begin: int,
    rays: int,
    parts: int,
    triangle: wp.array(dtype=wp.int64),
    barycentric: wp.array(dtype=wp.vec3),
    rows: wp.array(dtype=int),
    channels: int,
    gradient: wp.array(dtype=float),
    to_values: wp.array(dtype=float),
) -> None:
    """Each corner's row gets its weight of the ray's gradient; one item a part, for a CPU."""
    part = begin + wp.tid()
    for i in range(rays):
        f = int(triangle[i])
        if f >= 0:
            w = barycentric[i]
            for k in range(3):
                row = rows[3 * f + k]
                if ((row >> OWNED) & (parts - 1)) == part:
                    for c in range(channels):
                        to_values[row * channels + c] += w[k] * gradient[i * channels + c]


@wp.kernel(enable_backward=False)
def add_to_rows_atomic(
    begin: int,
    triangle: wp.array(dtype=wp.int64),
    barycentric: wp.array(dtype=wp.vec3),
    rows: wp.array(dtype=int),
    channels: int,
    gradient: wp.array(dtype=float),
    to_values: wp.array(dtype=float),
) -> None:
    """Each corner's row gets its weight of the ray's gradient; one item a ray, for CUDA."""
    i = begin + wp.tid()
    f = int(triangle[i])
    if f >= 0:
        w = barycentric[i]
        for k in range(3):
            row = rows[3 * f + k]
            for c in range(channels):
                wp.atomic_add(to_values, row * channels + c, w[k] * gradient[i * channels + c])
