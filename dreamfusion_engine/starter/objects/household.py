"""Things of a household. Z up, the front faces -Y."""

from __future__ import annotations

import math

from dreamfusion_engine.starter.objects.palette import COLOURS, WOOD, Rng, vary
from dreamfusion_engine.starter.primitives import Part, Vector, box, cylinder, rod, torus


def mug(rng: Rng, main: Vector | None) -> list[Part]:
    """A cup with a handle at the right, and coffee in it."""
    colour = main or COLOURS["white"]
    r, h = vary(rng, 0.62), vary(rng, 0.72)
    return [
        cylinder((0, 0, 0), r, h, colour, rounding=0.08),
        torus((0, 0, h - 0.02), r - 0.07, 0.07, colour),
        cylinder((0, 0, h - 0.005), r - 0.10, 0.02, (0.30, 0.17, 0.09), rounding=0.01),
        torus((r + 0.06, 0, 0), vary(rng, 0.36), 0.10, colour, turn=(math.pi / 2, 0, 0)),
    ]


def chair(rng: Rng, main: Vector | None) -> list[Part]:
    """Four legs, a seat and a back."""
    colour = main or WOOD
    w, seat, back = vary(rng, 0.52), vary(rng, 0.0, 0), vary(rng, 0.95)
    leg = vary(rng, 0.075)
    parts = [
        box((0, 0, seat), (w, w, 0.09), colour, rounding=0.05),
        box((0, w - 0.06, seat + back * 0.62), (w, 0.07, back * 0.42), colour, rounding=0.06),
    ]
    for x in (-1, 1):
        parts.append(rod((x * (w - 0.1), w - 0.06, seat), (x * (w - 0.1), w - 0.06, seat + back), leg, colour))
        for y in (-1, 1):
            parts.append(
                rod((x * (w - 0.1), y * (w - 0.1), seat), (x * (w - 0.06), y * (w - 0.06), seat - 0.85), leg, colour)
            )
    return parts


def table(rng: Rng, main: Vector | None) -> list[Part]:
    """A thick round-cornered top on four legs."""
    colour = main or WOOD
    w, d, h = vary(rng, 0.95), vary(rng, 0.7), vary(rng, 0.8)
    parts = [box((0, 0, 0), (w, d, 0.10), colour, rounding=0.06)]
    for x in (-1, 1):
        for y in (-1, 1):
            parts.append(cylinder((x * (w - 0.15), y * (d - 0.15), -h / 2), 0.10, h / 2, colour, rounding=0.03))
    return parts
