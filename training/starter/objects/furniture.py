"""Furniture and tableware. Z up, the front faces -Y."""

from __future__ import annotations

import math

from training.starter.objects.palette import COLOURS, CREAM, STEEL, WOOD, Rng, vary
from training.starter.primitives import Part, Vector, ball, box, cone, cylinder, dome, ellipsoid, rod, torus


def mug(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A cup with a handle at the right, and coffee in it.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the cup; None for the natural colour.
    accent: sRGB in [0, 1] of the handle; None for the natural colour.
    """
    colour = main or COLOURS["white"]
    r, h = vary(rng, 0.62), vary(rng, 0.72)
    return [
        cylinder((0, 0, 0), r, h, colour, rounding=0.08),
        torus((0, 0, h - 0.02), r - 0.07, 0.07, colour),
        cylinder((0, 0, h - 0.005), r - 0.10, 0.02, (0.30, 0.17, 0.09), rounding=0.01),
        torus((r + 0.10, 0, 0), vary(rng, 0.38), 0.13, accent or colour, turn=(math.pi / 2, 0, 0)),
    ]


def teapot(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A round pot with a spout at the left, a handle at the right and a lid.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the pot; None for the natural colour.
    accent: sRGB in [0, 1] of the lid; None for the natural colour.
    """
    colour = main or (0.62, 0.80, 0.86)
    lid = accent or colour
    r, h = vary(rng, 0.62, 0.06), vary(rng, 0.52, 0.06)
    return [
        ellipsoid((0, 0, 0), (r, r, h), colour),
        cylinder((0, 0, -h * 0.92), r * 0.55, 0.06, colour),
        dome((0, 0, h * 0.72), (r * 0.58, r * 0.58, 0.24), lid),
        ball((0, 0, h * 0.72 + 0.30), 0.11, lid),
        torus((r + 0.08, 0, 0.04), 0.30, 0.09, colour, turn=(math.pi / 2, 0, 0)),
        rod((-r * 0.7, 0, -0.12), (-r - 0.26, 0, 0.16), 0.15, colour),
        rod((-r - 0.26, 0, 0.16), (-r - 0.38, 0, 0.42), 0.10, colour),
    ]


def chair(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """Four legs, a seat and a back.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the legs and back; None for the natural colour.
    accent: sRGB in [0, 1] of the seat; None for the natural colour.
    """
    colour = main or WOOD
    w, back = vary(rng, 0.52), vary(rng, 0.95)
    leg = vary(rng, 0.085)
    parts = [
        box((0, 0, 0), (w, w, 0.10), accent or colour, rounding=0.05),
        box((0, w - 0.06, back * 0.60), (w, 0.08, back * 0.44), colour, rounding=0.07),
    ]
    for x in (-1, 1):
        parts.append(rod((x * (w - 0.1), w - 0.06, 0), (x * (w - 0.1), w - 0.06, back), leg, colour))
        for y in (-1, 1):
            parts.append(rod((x * (w - 0.1), y * (w - 0.1), 0), (x * (w - 0.06), y * (w - 0.06), -0.85), leg, colour))
    return parts


def table(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A thick round-cornered top on four legs.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the top; None for the natural colour.
    accent: sRGB in [0, 1] of the legs; None for the natural colour.
    """
    colour = main or WOOD
    w, d, h = vary(rng, 0.95), vary(rng, 0.7), vary(rng, 0.8)
    parts = [box((0, 0, 0), (w, d, 0.11), colour, rounding=0.06)]
    for x in (-1, 1):
        for y in (-1, 1):
            parts.append(
                cylinder((x * (w - 0.15), y * (d - 0.15), -h / 2), 0.11, h / 2, accent or colour, rounding=0.03)
            )
    return parts


def sofa(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A two-seat sofa with padded arms and back.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the frame and padding; None for the natural colour.
    accent: sRGB in [0, 1] of the cushions; None for the natural colour.
    """
    colour = main or (0.55, 0.62, 0.70)
    w, d = vary(rng, 1.0, 0.06), vary(rng, 0.48, 0.06)
    parts = [
        box((0, 0, 0), (w, d, 0.20), colour, rounding=0.08),
        box((0, d - 0.08, 0.36), (w, 0.18, 0.40), colour, rounding=0.15),
    ]
    for x in (-1, 1):
        parts.append(box((x * (w - 0.10), -0.02, 0.22), (0.16, d, 0.30), colour, rounding=0.14))
        cushion = ((w - 0.30) * 0.48, d - 0.12, 0.13)
        parts.append(box((x * (w - 0.28) * 0.5, -0.12, 0.26), cushion, accent or colour, rounding=0.1))
        for y in (-1, 1):
            parts.append(cylinder((x * (w - 0.16), y * (d - 0.14), -0.26), 0.07, 0.09, (0.30, 0.19, 0.11)))
    return parts


def bed(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A bed, its padded headboard at the back.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the blanket and padding; None for the natural colour.
    accent: sRGB in [0, 1] of the pillows; None for the natural colour.
    """
    blanket = main or (0.40, 0.58, 0.80)
    pillow = accent or CREAM
    w, d = vary(rng, 0.66, 0.08), vary(rng, 0.95, 0.05)
    parts = [
        box((0, 0, -0.10), (w, d, 0.13), WOOD, rounding=0.04),
        box((0, 0, 0.10), (w - 0.03, d - 0.04, 0.14), (0.95, 0.95, 0.93), rounding=0.08),
        box((0, -0.22, 0.17), (w + 0.03, d - 0.26, 0.15), blanket, rounding=0.09),
        box((0, d, 0.22), (w + 0.04, 0.07, 0.50), WOOD, rounding=0.06),
        box((0, d, 0.34), (w - 0.08, 0.10, 0.28), blanket, rounding=0.06),
        box((0, -d, 0.0), (w + 0.04, 0.06, 0.25), WOOD, rounding=0.05),
    ]
    for x in (-1, 1):
        parts.append(box((x * w * 0.46, d - 0.28, 0.32), (w * 0.40, 0.18, 0.10), pillow, rounding=0.09))
        for y in (-1, 1):
            parts.append(cylinder((x * (w - 0.06), y * d, -0.26), 0.07, 0.14, WOOD))
    return parts


def lamp(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A table lamp.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the shade; None for the natural colour.
    accent: sRGB in [0, 1] of the foot; None for the natural colour.
    """
    shade = main or (0.97, 0.88, 0.62)
    foot = accent or STEEL
    r, h = vary(rng, 0.56, 0.08), vary(rng, 0.36, 0.1)
    return [
        cone((0, 0, 0.45), r, r * 0.58, h, shade, rounding=0.04),
        ellipsoid((0, 0, -0.36), (0.25, 0.25, 0.33), foot),
        cylinder((0, 0, -0.05), 0.065, 0.30, foot),
        cylinder((0, 0, -0.72), 0.38, 0.07, foot, rounding=0.05),
    ]
