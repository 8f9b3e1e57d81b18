"""Things that drive, sail and fly. Z up, the front faces -Y: they travel towards -Y."""

from __future__ import annotations

import math

from training.starter.objects.palette import COLOURS, CREAM, DARK, GLASS, STEEL, WOOD, Rng, vary
from training.starter.primitives import Part, Vector, ball, box, cone, cylinder, ellipsoid, rod, torus

_HUB: Vector = (0.75, 0.76, 0.78)
_LAMP: Vector = (0.99, 0.96, 0.75)
_TAIL: Vector = (0.75, 0.05, 0.05)
_LYING = (0.0, math.pi / 2, 0.0)  # an axis along x
_AHEAD = (math.pi / 2, 0.0, 0.0)  # an axis along y


def wheel(x: float, y: float, z: float, radius: float, half_width: float = 0.10) -> list[Part]:
    """A tyre and its hub, the hub on the outer side.

    x, y, z: float, of its centre.
    radius: float, of the tyre.
    half_width: float, of the tyre, along X.
    """
    side = math.copysign(0.05, x)
    return [
        cylinder((x, y, z), radius, half_width, DARK, rounding=0.05, turn=_LYING),
        cylinder((x + side, y, z), radius * 0.5, half_width, _HUB, turn=_LYING),
    ]


def lamps(half_width: float, front: float, back: float, z: float) -> list[Part]:
    """Two white lamps in front and two red ones behind.

    half_width: float, from the middle to each, along X.
    front, back: float, y of the two pairs.
    z: float, of all four.
    """
    parts = []
    for x in (-half_width, half_width):
        parts.append(ellipsoid((x, front, z), (0.11, 0.06, 0.09), _LAMP))
        parts.append(ellipsoid((x, back, z), (0.10, 0.06, 0.07), _TAIL))
    return parts


def rocket(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A body with a pointed nose, a round window, fins and a nozzle.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the body; None for the natural colour.
    accent: sRGB in [0, 1] of the nose and fins; None for the natural colour.
    """
    body = main or (0.93, 0.94, 0.95)
    trim = accent or (COLOURS["red"] if main is None else (0.80, 0.82, 0.85))
    r, h = vary(rng, 0.38), vary(rng, 0.80)
    parts = [
        cylinder((0, 0, 0), r, h, body, rounding=0.06),
        cone((0, 0, h + 0.33), r * 0.82, 0.02, 0.36, trim, rounding=0.03),
        cone((0, 0, -h - 0.08), r * 0.85, r * 0.6, 0.12, (0.35, 0.36, 0.40)),
        torus((0, -r * 0.92, h * 0.35), 0.18, 0.06, trim, turn=_AHEAD),
        cylinder((0, -r * 0.92, h * 0.35), 0.17, 0.06, GLASS, turn=_AHEAD),
    ]
    for i in range(4):
        t = i * math.pi / 2 + math.pi / 4
        x, y = math.cos(t), math.sin(t)
        parts.append(
            box(
                (x * (r + 0.17), y * (r + 0.17), -h + 0.12),
                (0.26, 0.07, 0.32),
                trim,
                rounding=0.06,
                turn=(0, 0.35, t),
            )
        )
    return parts


def car(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A rounded body and cabin, four wheels, lamps.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the body; None for the natural colour.
    accent: sRGB in [0, 1] of the roof; None for the natural colour.
    """
    colour = main or COLOURS["red"]
    w, length = vary(rng, 0.48, 0.06), vary(rng, 1.0, 0.08)
    cab = vary(rng, 0.52, 0.1)
    parts = [
        box((0, 0, 0), (w, length, 0.22), colour, rounding=0.16),
        box((0, 0.12, 0.30), (w * 0.86, cab, 0.24), GLASS, rounding=0.12),
        box((0, 0.12, 0.52), (w * 0.80, cab * 0.82, 0.07), accent or colour, rounding=0.06),
        *lamps(w * 0.65, -length + 0.03, length - 0.03, 0.04),
    ]
    for x in (-w + 0.02, w - 0.02):
        for y in (-0.6, 0.6):
            parts += wheel(x, y * length, -0.2, 0.26)
    return parts


def truck(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A cab in front and a box behind it.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the cab and rear doors; None for the natural colour.
    accent: sRGB in [0, 1] of the box; None for the natural colour.
    """
    cab = main or COLOURS["red"]
    cargo = accent or (cab if main is not None else (0.92, 0.92, 0.90))
    w, length = vary(rng, 0.42, 0.06), vary(rng, 0.58, 0.08)
    parts = [
        box((0, -0.72, 0.10), (w, 0.30, 0.38), cab, rounding=0.10),
        box((0, -0.96, 0.24), (w * 0.80, 0.08, 0.14), GLASS, rounding=0.05),
        box((0, -0.74, 0.24), (w + 0.02, 0.16, 0.12), GLASS, rounding=0.04),
        box((0, length - 0.36, 0.26), (w + 0.06, length, 0.54), cargo, rounding=0.05),
        box((0, 2 * length - 0.36, 0.24), (w - 0.02, 0.04, 0.44), cab, rounding=0.03),
        box((0, -0.10, -0.26), (w * 0.8, 0.90, 0.10), DARK, rounding=0.04),
        *lamps(w * 0.70, -1.02, 2 * length - 0.36, -0.12),
    ]
    for x in (-w, w):
        for y in (-0.70, 0.10, 0.58):
            parts += wheel(x, y, -0.32, 0.23)
    return parts


def bus(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A long box with a row of windows.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the body; None for the natural colour.
    accent: sRGB in [0, 1] of the roof; None for the natural colour.
    """
    colour = main or COLOURS["yellow"]
    w, length = vary(rng, 0.42, 0.05), vary(rng, 1.0, 0.04)
    parts = [
        box((0, 0, 0), (w, length, 0.38), colour, rounding=0.09),
        box((0, 0, 0.40), (w * 0.76, length * 0.94, 0.07), accent or colour, rounding=0.06),
        box((0, -length, 0.12), (w * 0.80, 0.04, 0.17), GLASS, rounding=0.03),
        box((0, length, 0.14), (w * 0.70, 0.04, 0.13), GLASS, rounding=0.03),
        *lamps(w * 0.68, -length - 0.01, length + 0.01, -0.20),
    ]
    for x in (-w, w):
        for i in range(5):
            parts.append(box((x, -0.72 * length + 0.36 * i * length, 0.14), (0.03, 0.13, 0.14), GLASS, rounding=0.03))
        for y in (-0.6, 0.6):
            parts += wheel(x, y * length, -0.36, 0.22)
    return parts


def train(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A steam locomotive: boiler, chimney, dome, cab and wheels.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the boiler and cab; None for the natural colour.
    accent: sRGB in [0, 1] of the wheels; None for the natural colour.
    """
    colour = main or COLOURS["green"]
    rim = accent or COLOURS["red"]
    r, length = vary(rng, 0.32, 0.05), vary(rng, 0.58, 0.05)
    parts = [
        cylinder((0, -0.30, 0.16), r, length, colour, rounding=0.06, turn=_AHEAD),
        cylinder((0, -0.32 - length, 0.16), r * 0.84, 0.06, DARK, turn=_AHEAD),
        ball((0, -0.38 - length, 0.16), 0.10, _LAMP),
        cone((0, -0.62, 0.64), 0.11, 0.18, 0.20, DARK),
        ellipsoid((0, -0.18, 0.50), (0.16, 0.16, 0.16), (0.90, 0.72, 0.25)),
        box((0, 0.62, 0.34), (0.42, 0.34, 0.46), colour, rounding=0.06),
        box((0, 0.62, 0.84), (0.48, 0.42, 0.06), DARK, rounding=0.05),
        box((0, 0.62, 0.46), (0.44, 0.18, 0.16), GLASS, rounding=0.03),
        box((0, 0.0, -0.20), (0.36, 0.98, 0.12), DARK, rounding=0.05),
        plough(),
    ]
    for x in (-0.36, 0.36):
        for y in (-0.58, -0.06, 0.58):
            side = math.copysign(0.05, x)
            parts.append(cylinder((x, y, -0.30), 0.25, 0.07, rim, rounding=0.03, turn=_LYING))
            parts.append(cylinder((x + side, y, -0.30), 0.10, 0.06, _HUB, turn=_LYING))
    return parts


def plough() -> Part:
    """The plate before a locomotive's wheels."""
    return box((0, -1.0, -0.34), (0.34, 0.06, 0.16), STEEL, rounding=0.04, turn=(-0.5, 0, 0))


def airplane(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A plump propeller plane.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the body; None for the natural colour.
    accent: sRGB in [0, 1] of the wings; None for the natural colour.
    """
    colour = main or (0.92, 0.93, 0.95)
    wing = accent or (colour if main is not None else COLOURS["blue"])
    r, span = vary(rng, 0.26, 0.06), vary(rng, 1.0, 0.06)
    parts = [
        ellipsoid((0, 0, 0), (r, 0.95, r * 1.05), colour),
        box((0, -0.16, -0.02), (span, 0.25, 0.06), wing, rounding=0.055),
        box((0, 0.78, 0.06), (0.42, 0.15, 0.05), wing, rounding=0.045),
        box((0, 0.82, 0.30), (0.05, 0.16, 0.28), wing, rounding=0.045, turn=(-0.3, 0, 0)),
        ellipsoid((0, -0.30, r * 0.80), (0.17, 0.34, 0.18), GLASS),
        ball((0, -0.98, 0), 0.10, DARK),
        box((0, -1.02, 0), (0.36, 0.03, 0.06), DARK, rounding=0.025, turn=(0, float(rng.uniform(0, math.pi)), 0)),
    ]
    return parts


def sailboat(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A hull, a mast and two sails, bow to the front.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the hull; None for the natural colour.
    accent: sRGB in [0, 1] of the sails; None for the natural colour.
    """
    hull = main or COLOURS["blue"]
    sail = accent or CREAM
    w = vary(rng, 0.36, 0.08)
    h = vary(rng, 0.62, 0.06)
    parts = [
        ellipsoid((0, 0, -0.46), (w, 0.92, 0.32), hull),
        box((0, 0.06, -0.36), (w * 0.92, 0.70, 0.14), hull, rounding=0.10),
        box((0, 0.06, -0.21), (w * 0.74, 0.58, 0.05), WOOD, rounding=0.04),
        cylinder((0, -0.10, 0.34), 0.05, 0.74, WOOD),
        # Two right-angled triangles, each half of a thin pyramid that leans on the mast.
        *triangle_sail(0.06, 0.72, -0.02, 2 * h, sail),
        *triangle_sail(-0.24, -0.78, -0.02, 1.55 * h, sail),
    ]
    return parts


def triangle_sail(foot: float, tip: float, low: float, height: float, colour: Vector) -> list[Part]:
    """A three-cornered sail in the plane x = 0: a stack of bands.

    foot: float, y of its upright edge.
    tip: float, y of its free corner.
    low: float, z of its lower edge.
    height: float, above that.
    colour: sRGB in [0, 1].
    """
    parts = []
    bands = 7
    for i in range(bands):
        share = 1.0 - (i + 0.5) / bands
        reach = 0.5 * (tip - foot) * share
        parts.append(
            box(
                (0, foot + reach, low + height * (i + 0.5) / bands),
                (0.05, abs(reach), 0.5 * height / bands + 0.02),
                colour,
                rounding=0.03,
            )
        )
    return parts


def balloon(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A hot air balloon: envelope, ropes and basket.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the envelope; None for the natural colour.
    accent: sRGB in [0, 1] of the basket; None for the natural colour.
    """
    colour = main or COLOURS["red"]
    basket = accent or WOOD
    r = vary(rng, 0.66, 0.05)
    parts = [
        ellipsoid((0, 0, 0.34), (r, r, r * 1.04), colour),
        cone((0, 0, -0.26), 0.24, r * 0.80, 0.26, colour, rounding=0.04),
        box((0, 0, -0.88), (0.22, 0.22, 0.17), basket, rounding=0.05),
    ]
    for x in (-1, 1):
        for y in (-1, 1):
            parts.append(rod((x * 0.18, y * 0.18, -0.76), (x * 0.17, y * 0.17, -0.46), 0.035, (0.36, 0.25, 0.16)))
    return parts
