"""Signed distances of the corpus's primitives as Warp functions (forms by I. Quilez, 'distance functions').

The renderer traces them; `exact_mesh` marches cubes over them.
"""

from __future__ import annotations

import warp as wp


@wp.func
def slope(x: float, z: float, half_width: float, half_height: float) -> float:
    """Return the signed distance to the plane from (half_width, -half_height) to (0, half_height), mirrored at x = 0.

    x, z: float, the point.
    half_width, half_height: float, above 0.
    """
    run = 2.0 * half_height
    length = wp.sqrt(run * run + half_width * half_width)
    return ((wp.abs(x) - half_width) * run + (z + half_height) * half_width) / length


@wp.func
def rounded_cut(q: wp.vec3, rounding: float) -> float:
    """Return the signed distance to the intersection of three solids, with rounded edges.

    q: vec3, distances to the three.
    rounding: float, radius of the edges.
    """
    r = wp.vec3(q[0] + rounding, q[1] + rounding, q[2] + rounding)
    outside = wp.length(wp.vec3(wp.max(r[0], 0.0), wp.max(r[1], 0.0), wp.max(r[2], 0.0)))
    return outside + wp.min(wp.max(r[0], wp.max(r[1], r[2])), 0.0) - rounding


@wp.func
def ellipsoid_distance(p: wp.vec3, r: wp.vec3) -> float:
    """Return the distance to an ellipsoid, negative inside: to first order, so exact on the surface only.

    p: vec3, the point, from the centre.
    r: vec3, half axes.
    """
    k0 = wp.length(wp.cw_div(p, r))
    k1 = wp.length(wp.cw_div(p, wp.cw_mul(r, r)))
    if k1 < 1.0e-6:  # the centre
        return -wp.min(r[0], wp.min(r[1], r[2]))
    return k0 * (k0 - 1.0) / k1


@wp.func
def part_distance(shape: int, p: wp.vec3, s: wp.vec4) -> float:
    """Return the signed distance to a primitive, in the primitive's own frame.

    shape: int, ELLIPSOID ... DOME of `primitives`.
    p: vec3, the point.
    s: vec4, the primitive's four sizes; their makers in `primitives` say what they mean.
    """
    if shape == 0:
        return ellipsoid_distance(p, wp.vec3(s[0], s[1], s[2]))
    if shape == 1:  # rounded box
        qx = wp.abs(p[0]) - s[0] + s[3]
        qy = wp.abs(p[1]) - s[1] + s[3]
        qz = wp.abs(p[2]) - s[2] + s[3]
        outside = wp.length(wp.vec3(wp.max(qx, 0.0), wp.max(qy, 0.0), wp.max(qz, 0.0)))
        return outside + wp.min(wp.max(qx, wp.max(qy, qz)), 0.0) - s[3]
    radial = wp.sqrt(p[0] * p[0] + p[1] * p[1])
    if shape == 2:  # rounded cylinder
        dx = radial - s[0] + s[3]
        dz = wp.abs(p[2]) - s[1] + s[3]
        return wp.min(wp.max(dx, dz), 0.0) + wp.length(wp.vec2(wp.max(dx, 0.0), wp.max(dz, 0.0))) - s[3]
    if shape == 3:  # capped cone
        h = s[2]
        k2x = s[1] - s[0]
        k2y = 2.0 * h
        rim = s[1]
        if p[2] < 0.0:
            rim = s[0]
        cax = radial - wp.min(radial, rim)
        cay = wp.abs(p[2]) - h
        along = wp.clamp(((s[1] - radial) * k2x + (h - p[2]) * k2y) / (k2x * k2x + k2y * k2y), 0.0, 1.0)
        cbx = radial - s[1] + k2x * along
        cby = p[2] - h + k2y * along
        sign = float(1.0)
        if cbx < 0.0 and cay < 0.0:
            sign = float(-1.0)
        return sign * wp.sqrt(wp.min(cax * cax + cay * cay, cbx * cbx + cby * cby)) - s[3]
    if shape == 4:  # torus
        q = radial - s[0]
        return wp.sqrt(q * q + p[2] * p[2]) - s[1]
    if shape == 5:  # capsule
        z = p[2] - wp.clamp(p[2], -s[1], s[1])
        return wp.sqrt(radial * radial + z * z) - s[0]
    # Wedge, pyramid and dome: convex solids cut out by surfaces, q the distances to them; their edges are rounded.
    base = -p[2] - s[2]
    if shape == 6:
        return rounded_cut(wp.vec3(slope(p[0], p[2], s[0], s[2]), wp.abs(p[1]) - s[1], base), s[3])
    if shape == 7:
        side = wp.max(slope(p[0], p[2], s[0], s[2]), slope(p[1], p[2], s[1], s[2]))
        return rounded_cut(wp.vec3(side, -1.0e3, base), s[3])
    above = wp.vec3(p[0], p[1], p[2] + s[2])
    return rounded_cut(wp.vec3(ellipsoid_distance(above, wp.vec3(s[0], s[1], 2.0 * s[2])), -1.0e3, base), s[3])


@wp.func
def union_distance(
    p: wp.vec3,
    first: int,
    last: int,
    shape: wp.array(dtype=wp.int32),
    centre: wp.array(dtype=wp.vec3),
    rotation: wp.array(dtype=wp.mat33),
    size: wp.array(dtype=wp.vec4),
) -> wp.vec2:
    """Return the signed distance to a union of primitives, and the index of the nearest one.

    p: vec3, the point, world units.
    first, last: int, the primitives are first to last - 1.
    shape: int32[P], ELLIPSOID ... DOME.
    centre: vec3[P], world units.
    rotation: mat33[P], columns are the local axes.
    size: vec4[P].
    """
    best = float(1.0e9)
    index = float(0.0)
    for i in range(first, last):
        d = part_distance(shape[i], wp.transpose(rotation[i]) * (p - centre[i]), size[i])
        if d < best:
            best = d
            index = float(i)
    return wp.vec2(best, index)
