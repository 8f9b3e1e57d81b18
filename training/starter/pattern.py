"""Surface patterns of the corpus, as a Warp function: where on a part the second colour lies.

Patterns live in arc lengths of a part's own surface, so that stripes run around a mug and dots do not stretch.
"""

from __future__ import annotations

import math

import warp as wp

PERIOD = wp.constant(0.34)  # world units between stripes, dots and checks: five or six on an object
_DOT = wp.constant(0.105)  # radius of a dot
_TURN = wp.constant(2.0 * math.pi)


@wp.func
def repeats(circumference: float) -> float:
    """Return an even number of periods around a part, so that its pattern meets itself at the back.

    circumference: float, world units.
    """
    return 2.0 * wp.max(1.0, wp.round(0.5 * circumference / PERIOD))


@wp.func
def surface_arcs(shape: int, p: wp.vec3, n: wp.vec3, s: wp.vec4) -> wp.vec3:
    """Return the place on a part's surface in periods (around, along), and the world units of a period around.

    Flat faces are measured straight. Round ones are measured by the angle about the local z axis, from the front (-y).

    shape: int, ELLIPSOID ... DOME of `primitives`.
    p: vec3, point of the surface, in the part's frame.
    n: vec3, normal there, unit length.
    s: vec4, the part's sizes.
    """
    flat = shape == 1 or shape == 6 or shape == 7
    if flat or (wp.abs(n[2]) > 0.8 and shape != 4 and shape != 0 and shape != 8):
        if wp.abs(n[2]) > 0.8:
            return wp.vec3(p[0] / PERIOD, p[1] / PERIOD, PERIOD)
        if wp.abs(n[0]) > wp.abs(n[1]):
            return wp.vec3(p[1] / PERIOD, p[2] / PERIOD, PERIOD)
        return wp.vec3(p[0] / PERIOD, p[2] / PERIOD, PERIOD)
    turn = wp.atan2(p[0], -p[1]) / _TURN
    radial = wp.sqrt(p[0] * p[0] + p[1] * p[1])
    if shape == 4:
        count = repeats(_TURN * s[0])
        return wp.vec3(turn * count, wp.atan2(p[2], radial - s[0]) * s[1] / PERIOD, _TURN * radial / count)
    count = repeats(_TURN * wp.max(s[0], s[1]) * 0.9)
    if shape == 2 or shape == 5:
        count = repeats(_TURN * s[0])
    return wp.vec3(turn * count, p[2] / PERIOD, _TURN * radial / count)


@wp.func
def second_colour(pattern: int, shape: int, p: wp.vec3, n: wp.vec3, s: wp.vec4) -> bool:
    """Return whether a point of the surface has the part's second colour.

    pattern: int, PLAIN ... CHECKS of `primitives`.
    shape: int, ELLIPSOID ... DOME.
    p: vec3, the point, in the part's frame.
    n: vec3, normal there, unit length.
    s: vec4, the part's sizes.
    """
    arcs = surface_arcs(shape, p, n, s)
    if pattern == 1:  # stripes around; on a ring, across it
        along = arcs[1]
        if shape == 4:
            along = arcs[0]
        return along - wp.floor(along) < 0.5
    if pattern == 2:  # dots, every second row shifted by half
        row = wp.floor(arcs[1])
        column = arcs[0] + 0.5 * (row - 2.0 * wp.floor(0.5 * row))
        dx = (column - wp.floor(column) - 0.5) * arcs[2]
        dy = (arcs[1] - row - 0.5) * PERIOD
        return dx * dx + dy * dy < _DOT * _DOT
    cell = wp.floor(2.0 * arcs[0]) + wp.floor(2.0 * arcs[1])
    return cell - 2.0 * wp.floor(0.5 * cell) > 0.5
