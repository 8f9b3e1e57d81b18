"""Coloured primitives, of which every object of the corpus is built.

A primitive is a signed distance in its own frame, a pose and a colour; an object is their union. Lengths are in the
object's own units until `normalised` brings the whole to the [-1, 1] box.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]
Array = NDArray[np.float32]

ELLIPSOID, BOX, CYLINDER, CONE, TORUS, CAPSULE, WEDGE, PYRAMID, DOME = range(9)
PLAIN, STRIPES, DOTS, CHECKS = range(4)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One primitive of an object.

    shape: int, ELLIPSOID ... DOME.
    centre: three floats, its place.
    size: four floats; the makers below say what each means.
    colour: three floats, sRGB in [0, 1].
    rotation: 3 x 3 floats, whose columns are the local axes in the object's frame.
    pattern: int, PLAIN ... CHECKS, drawn in the part's own frame.
    second: three floats, colour of the pattern, sRGB in [0, 1].
    """

    shape: int
    centre: Vector
    size: tuple[float, float, float, float]
    colour: Vector
    rotation: tuple[Vector, Vector, Vector] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    pattern: int = PLAIN
    second: Vector = (1.0, 1.0, 1.0)

    def half_extent(self) -> Array:
        """Return half the sides of a box that contains the part, along the object's axes, float32[3]."""
        a, b, c, d = self.size
        local = {
            ELLIPSOID: (a, b, c),
            BOX: (a, b, c),
            CYLINDER: (a, a, b),
            CONE: (max(a, b) + d, max(a, b) + d, c + d),
            TORUS: (a + b, a + b, b),
            CAPSULE: (a, a, a + b),
            WEDGE: (a, b, c),
            PYRAMID: (a, b, c),
            DOME: (a, b, c),
        }[self.shape]
        return np.asarray(np.abs(np.asarray(self.rotation)) @ np.asarray(local), dtype=np.float32)


def ellipsoid(centre: Vector, radii: Vector, colour: Vector, *, turn: Vector = (0.0, 0.0, 0.0)) -> Part:
    """Return an ellipsoid.

    centre: its place.
    radii: half axes along x, y and z.
    colour: sRGB in [0, 1].
    turn: radians about x, y and z, in that order.
    """
    return Part(shape=ELLIPSOID, centre=centre, size=(*radii, 0.0), colour=colour, rotation=_turned(turn))


def ball(centre: Vector, radius: float, colour: Vector) -> Part:
    """Return a sphere.

    centre: its place.
    radius: float.
    colour: sRGB in [0, 1].
    """
    return ellipsoid(centre, (radius, radius, radius), colour)


def box(
    centre: Vector, half: Vector, colour: Vector, *, rounding: float = 0.05, turn: Vector = (0.0, 0.0, 0.0)
) -> Part:
    """Return a box with rounded edges.

    centre: its place.
    half: half sides along x, y and z.
    colour: sRGB in [0, 1].
    rounding: float, radius of the edges.
    turn: radians about x, y and z, in that order.
    """
    rounding = min(rounding, 0.95 * min(half))
    return Part(shape=BOX, centre=centre, size=(*half, rounding), colour=colour, rotation=_turned(turn))


def cylinder(
    centre: Vector,
    radius: float,
    half_height: float,
    colour: Vector,
    *,
    rounding: float = 0.03,
    turn: Vector = (0.0, 0.0, 0.0),
) -> Part:
    """Return a cylinder along its local z, with rounded rims.

    centre: its place.
    radius: float.
    half_height: float.
    colour: sRGB in [0, 1].
    rounding: float, radius of the rims.
    turn: radians about x, y and z, in that order.
    """
    rounding = min(rounding, 0.95 * min(radius, half_height))
    return Part(
        shape=CYLINDER, centre=centre, size=(radius, half_height, 0.0, rounding), colour=colour, rotation=_turned(turn)
    )


def cone(
    centre: Vector,
    bottom: float,
    top: float,
    half_height: float,
    colour: Vector,
    *,
    rounding: float = 0.02,
    turn: Vector = (0.0, 0.0, 0.0),
) -> Part:
    """Return a cone along its local z, cut off at its upper radius.

    centre: its place.
    bottom: float, lower radius.
    top: float, upper radius; 0 for a point.
    half_height: float.
    colour: sRGB in [0, 1].
    rounding: float, by which it grows on all sides.
    turn: radians about x, y and z, in that order.
    """
    return Part(
        shape=CONE, centre=centre, size=(bottom, top, half_height, rounding), colour=colour, rotation=_turned(turn)
    )


def torus(centre: Vector, ring: float, tube: float, colour: Vector, *, turn: Vector = (0.0, 0.0, 0.0)) -> Part:
    """Return a torus about its local z.

    centre: its place.
    ring: float, radius of the ring.
    tube: float, radius of the tube.
    colour: sRGB in [0, 1].
    turn: radians about x, y and z, in that order.
    """
    return Part(shape=TORUS, centre=centre, size=(ring, tube, 0.0, 0.0), colour=colour, rotation=_turned(turn))


def wedge(
    centre: Vector, half: Vector, colour: Vector, *, rounding: float = 0.03, turn: Vector = (0.0, 0.0, 0.0)
) -> Part:
    """Return a gable roof: a prism along y, whose triangle has its base at -half[2] and its ridge at +half[2].

    centre: its place.
    half: half sides of its box along x, y and z.
    colour: sRGB in [0, 1].
    rounding: float, radius of the edges.
    turn: radians about x, y and z, in that order.
    """
    return Part(shape=WEDGE, centre=centre, size=(*half, rounding), colour=colour, rotation=_turned(turn))


def pyramid(
    centre: Vector, half: Vector, colour: Vector, *, rounding: float = 0.03, turn: Vector = (0.0, 0.0, 0.0)
) -> Part:
    """Return a pyramid over a rectangle at -half[2], with its tip at +half[2].

    centre: its place.
    half: half sides of its box along x, y and z.
    colour: sRGB in [0, 1].
    rounding: float, radius of the edges.
    turn: radians about x, y and z, in that order.
    """
    return Part(shape=PYRAMID, centre=centre, size=(*half, rounding), colour=colour, rotation=_turned(turn))


def dome(
    base: Vector, radii: Vector, colour: Vector, *, rounding: float = 0.03, turn: Vector = (0.0, 0.0, 0.0)
) -> Part:
    """Return the upper half of an ellipsoid.

    base: the middle of its floor.
    radii: half widths along x and y, and the whole height.
    colour: sRGB in [0, 1].
    rounding: float, radius of the edge.
    turn: radians about x, y and z, in that order.
    """
    rotation = _turned(turn)
    half = 0.5 * radii[2]
    centre = _vector(np.asarray(base) + half * np.asarray(rotation)[:, 2])
    return Part(shape=DOME, centre=centre, size=(radii[0], radii[1], half, rounding), colour=colour, rotation=rotation)


def rod(start: Vector, end: Vector, radius: float, colour: Vector) -> Part:
    """Return a rod with round ends.

    start, end: middles of its ends.
    radius: float.
    colour: sRGB in [0, 1].
    """
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    length = float(np.linalg.norm(b - a))
    z = (b - a) / max(length, 1e-9)
    helper = np.array([1.0, 0.0, 0.0]) if abs(z[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = np.cross(helper, z)
    x /= np.linalg.norm(x)
    frame = np.stack([x, np.cross(z, x), z], axis=1)
    return Part(
        shape=CAPSULE,
        centre=_vector((a + b) / 2.0),
        size=(radius, length / 2.0, 0.0, 0.0),
        colour=colour,
        rotation=_rows(frame),
    )


def normalised(parts: list[Part], *, half_length: float, reach: float) -> list[Part]:
    """Return the parts moved to the origin and scaled.

    parts: Parts of one object.
    half_length: float, the longest half side of their box, world units.
    reach: float, the farthest that a corner of the box may be from the origin, world units.
    """
    low = np.min([np.asarray(p.centre) - p.half_extent() for p in parts], axis=0)
    high = np.max([np.asarray(p.centre) + p.half_extent() for p in parts], axis=0)
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    scale = min(half_length / float(half.max()), reach / float(np.linalg.norm(half)))
    return [
        replace(
            p,
            centre=_vector((np.asarray(p.centre) - middle) * scale),
            size=(p.size[0] * scale, p.size[1] * scale, p.size[2] * scale, p.size[3] * scale),
        )
        for p in parts
    ]


def _turned(turn: Vector) -> tuple[Vector, Vector, Vector]:
    (cx, cy, cz), (sx, sy, sz) = np.cos(turn), np.sin(turn)
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return _rows(rz @ ry @ rx)


def _vector(v: NDArray[np.float64]) -> Vector:
    return (float(v[0]), float(v[1]), float(v[2]))


def _rows(matrix: NDArray[np.float64]) -> tuple[Vector, Vector, Vector]:
    return (_vector(matrix[0]), _vector(matrix[1]), _vector(matrix[2]))
