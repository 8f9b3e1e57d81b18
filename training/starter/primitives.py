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
    """One primitive.

    shape: ELLIPSOID ... DOME. centre: position. rotation: columns are the local axes in the object's frame.
    size: what the four numbers mean depends on the shape (see the makers below). colour: sRGB in [0, 1].
    pattern: PLAIN ... CHECKS, drawn in the part's own frame with the colour `second`.
    """

    shape: int
    centre: Vector
    size: tuple[float, float, float, float]
    colour: Vector
    rotation: tuple[Vector, Vector, Vector] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    pattern: int = PLAIN
    second: Vector = (1.0, 1.0, 1.0)

    def half_extent(self) -> Array:
        """Half sizes along the object's axes of a box that contains the part, float32[3]."""
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
    """An ellipsoid with three half axes."""
    return Part(shape=ELLIPSOID, centre=centre, size=(*radii, 0.0), colour=colour, rotation=_turned(turn))


def ball(centre: Vector, radius: float, colour: Vector) -> Part:
    """A sphere."""
    return ellipsoid(centre, (radius, radius, radius), colour)


def box(
    centre: Vector, half: Vector, colour: Vector, *, rounding: float = 0.05, turn: Vector = (0.0, 0.0, 0.0)
) -> Part:
    """A box of half sizes `half` with rounded edges, turned about x, y, z (radians, in that order)."""
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
    """A cylinder along its local z with rounded rims."""
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
    """A cone along its local z, cut off at radius `top` (0: a point), grown by `rounding`."""
    return Part(
        shape=CONE, centre=centre, size=(bottom, top, half_height, rounding), colour=colour, rotation=_turned(turn)
    )


def torus(centre: Vector, ring: float, tube: float, colour: Vector, *, turn: Vector = (0.0, 0.0, 0.0)) -> Part:
    """A torus about its local z: radius of the ring, radius of the tube."""
    return Part(shape=TORUS, centre=centre, size=(ring, tube, 0.0, 0.0), colour=colour, rotation=_turned(turn))


def wedge(
    centre: Vector, half: Vector, colour: Vector, *, rounding: float = 0.03, turn: Vector = (0.0, 0.0, 0.0)
) -> Part:
    """A gable roof: a prism along y whose triangle has its base at -half[2] and its ridge at +half[2]."""
    return Part(shape=WEDGE, centre=centre, size=(*half, rounding), colour=colour, rotation=_turned(turn))


def pyramid(
    centre: Vector, half: Vector, colour: Vector, *, rounding: float = 0.03, turn: Vector = (0.0, 0.0, 0.0)
) -> Part:
    """A pyramid over a rectangle at -half[2], with its tip at +half[2]."""
    return Part(shape=PYRAMID, centre=centre, size=(*half, rounding), colour=colour, rotation=_turned(turn))


def dome(
    base: Vector, radii: Vector, colour: Vector, *, rounding: float = 0.03, turn: Vector = (0.0, 0.0, 0.0)
) -> Part:
    """The upper half of an ellipsoid that stands on `base`; radii: half widths along x and y, and the whole height."""
    rotation = _turned(turn)
    half = 0.5 * radii[2]
    centre = _vector(np.asarray(base) + half * np.asarray(rotation)[:, 2])
    return Part(shape=DOME, centre=centre, size=(radii[0], radii[1], half, rounding), colour=colour, rotation=rotation)


def rod(start: Vector, end: Vector, radius: float, colour: Vector) -> Part:
    """A capsule from `start` to `end`."""
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
    """The parts centred on the origin; their box has the longest half side `half_length` and corners in `reach`."""
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
