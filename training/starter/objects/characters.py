"""Things with a face. Z up, the front faces -Y."""

from __future__ import annotations

import math

from training.starter.objects.palette import COLOURS, DARK, STEEL, Rng, vary
from training.starter.primitives import Part, Vector, ball, box, cone, cylinder, ellipsoid, rod, torus

_PINK: Vector = (0.96, 0.62, 0.66)


def eyes(apart: float, y: float, z: float, radius: float = 0.06) -> list[Part]:
    """Two dark eyes.

    apart: float, from the middle to each, along X.
    y, z: float, of their centres.
    radius: float.
    """
    return [ball((x * apart, y, z), radius, DARK) for x in (-1, 1)]


def snowman(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """Three balls, a hat, a scarf, coal and a carrot.

    rng: Rng, which varies the sizes.
    main: not used.
    accent: sRGB in [0, 1] of the hat and scarf; None for the natural colour.
    """
    snow: Vector = (0.95, 0.96, 0.98)
    scarf = accent or COLOURS["red"]
    hat = accent or DARK
    a, b, c = vary(rng, 0.62, 0.06), vary(rng, 0.46, 0.06), 0.34
    zb = a * 0.8 + b * 0.75
    zc = zb + b * 0.75 + c * 0.7
    parts = [
        ball((0, 0, 0), a, snow),
        ball((0, 0, zb), b, snow),
        ball((0, 0, zc), c, snow),
        torus((0, 0, zc - c * 0.75), 0.25, 0.10, scarf),
        cylinder((0, 0, zc + c * 0.75), 0.44, 0.05, hat, rounding=0.04),
        cylinder((0, 0, zc + c * 0.75 + 0.22), 0.29, 0.22, hat),
        cone((0, -c - 0.14, zc), 0.08, 0.01, 0.18, COLOURS["orange"], turn=(math.pi / 2, 0, 0)),
        *eyes(0.13, -c * 0.88, zc + 0.12),
    ]
    for k in (-0.18, 0.02, 0.22):
        parts.append(ball((0, -math.sqrt(max(b * b - k * k, 0.01)), zb + k), 0.06, DARK))
    for x in (-1, 1):
        parts.append(rod((x * b * 0.9, 0, zb + 0.1), (x * (b + 0.40), 0, zb + 0.36), 0.045, (0.36, 0.22, 0.12)))
    return parts


def robot(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A boxy robot with eyes, antenna, arms and legs.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the body and limbs; None for the natural colour.
    accent: sRGB in [0, 1] of the head; None for the natural colour.
    """
    colour = main or STEEL
    w, h = vary(rng, 0.42, 0.08), vary(rng, 0.42, 0.08)
    head = vary(rng, 0.30, 0.08)
    joint: Vector = (0.30, 0.31, 0.34)
    top = h + 0.1 + head
    parts = [
        box((0, 0, 0), (w, 0.30, h), colour, rounding=0.08),
        cylinder((0, 0, h + 0.04), 0.12, 0.08, joint),
        box((0, 0, top), (head * 1.1, 0.27, head * 0.9), accent or colour, rounding=0.08),
        box((0, -0.30, 0.08), (w * 0.6, 0.03, h * 0.4), (0.95, 0.83, 0.25), rounding=0.02),
        rod((0, 0, top + head * 0.8), (0, 0, top + head + 0.2), 0.04, joint),
        ball((0, 0, top + head + 0.24), 0.10, COLOURS["red"]),
    ]
    for x in (-1, 1):
        parts.append(ball((x * 0.14, -0.26, top + 0.05), 0.085, (0.98, 0.98, 0.70)))
        parts.append(rod((x * (w + 0.12), 0, h * 0.7), (x * (w + 0.20), -0.06, -h * 0.7), 0.10, joint))
        parts.append(ball((x * (w + 0.20), -0.06, -h * 0.85), 0.14, colour))
        parts.append(cylinder((x * w * 0.5, 0, -h - 0.2), 0.12, 0.22, joint))
        parts.append(box((x * w * 0.5, -0.08, -h - 0.44), (0.17, 0.26, 0.09), colour, rounding=0.06))
    return parts


def duck(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A bath duck: body, head, bill towards -Y, wings and tail.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the body; None for the natural colour.
    accent: sRGB in [0, 1] of the bill; None for the natural colour.
    """
    colour = main or COLOURS["yellow"]
    r = vary(rng, 0.60, 0.06)
    head = vary(rng, 0.40, 0.06)
    zh = 0.72
    parts = [
        ellipsoid((0, 0.08, 0), (r, r * 1.3, 0.50), colour),
        ball((0, -0.38, zh), head, colour),
        ellipsoid((0, -0.38 - head - 0.06, zh - 0.06), (0.20, 0.24, 0.09), accent or COLOURS["orange"]),
        cone((0, r * 1.3 + 0.02, 0.26), 0.26, 0.03, 0.28, colour, turn=(-0.9, 0, 0)),
        *eyes(0.2, -0.38 - head * 0.82, zh + 0.13, 0.07),
    ]
    for x in (-1, 1):
        parts.append(ellipsoid((x * r * 0.92, 0.16, 0.06), (0.13, 0.48, 0.28), colour))
    return parts


def penguin(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """Black back, white belly, orange bill and feet, a scarf.

    rng: Rng, which varies the sizes.
    main: not used.
    accent: sRGB in [0, 1] of the scarf; None for the natural colour.
    """
    coat: Vector = (0.13, 0.14, 0.18)
    r, h = vary(rng, 0.46, 0.06), vary(rng, 0.62, 0.05)
    zh = h * 0.95
    parts = [
        ellipsoid((0, 0, 0), (r, r * 0.92, h), coat),
        ellipsoid((0, -r * 0.24, -0.06), (r * 0.80, r * 0.76, h * 0.86), (0.95, 0.95, 0.95)),
        ball((0, 0, zh), 0.36, coat),
        cone((0, -0.42, zh - 0.02), 0.12, 0.01, 0.14, COLOURS["orange"], rounding=0.02, turn=(math.pi / 2, 0, 0)),
        torus((0, 0, zh - 0.30), 0.28, 0.10, accent or COLOURS["red"]),
    ]
    for x in (-1, 1):
        parts.append(ball((x * 0.14, -0.28, zh + 0.08), 0.10, (0.96, 0.96, 0.96)))
        parts.append(ball((x * 0.14, -0.36, zh + 0.08), 0.05, DARK))
        parts.append(ellipsoid((x * (r + 0.06), 0.02, 0.08), (0.08, 0.20, 0.40), coat, turn=(0, -x * 0.25, 0)))
        parts.append(ellipsoid((x * 0.20, -0.24, -h - 0.02), (0.18, 0.26, 0.08), COLOURS["orange"]))
    return parts


def teddy_bear(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A sitting bear with round ears and a bow tie.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the fur; None for the natural colour.
    accent: sRGB in [0, 1] of the bow tie; None for the natural colour.
    """
    fur = main or (0.66, 0.44, 0.25)
    pale: Vector = (0.93, 0.82, 0.64)
    r = vary(rng, 0.46, 0.06)
    head = vary(rng, 0.40, 0.05)
    zh = r + head * 0.72
    bow = accent or COLOURS["red"]
    parts = [
        ellipsoid((0, 0, 0), (r, r * 0.86, r * 1.05), fur),
        ellipsoid((0, -r * 0.30, -0.04), (r * 0.70, r * 0.66, r * 0.76), pale),
        ball((0, -0.02, zh), head, fur),
        ellipsoid((0, -head * 0.86, zh - 0.10), (0.19, 0.17, 0.14), pale),
        ellipsoid((0, -head * 0.86 - 0.16, zh - 0.05), (0.08, 0.05, 0.06), DARK),
        *eyes(0.16, -head * 0.88, zh + 0.10),
        ball((0, -head * 0.92, zh - head * 0.82), 0.08, bow),
    ]
    for x in (-1, 1):
        parts.append(ball((x * head * 0.80, 0.02, zh + head * 0.74), 0.17, fur))
        parts.append(ball((x * head * 0.80, -0.08, zh + head * 0.74), 0.11, pale))
        parts.append(ellipsoid((x * 0.18, -head * 0.90, zh - head * 0.82), (0.15, 0.07, 0.11), bow))
        parts.append(rod((x * r * 0.80, -0.05, r * 0.55), (x * (r + 0.16), -0.22, -0.02), 0.15, fur))
        parts.append(rod((x * 0.26, -0.10, -r * 0.78), (x * 0.36, -0.56, -r * 0.80), 0.19, fur))
        parts.append(ellipsoid((x * 0.37, -0.73, -r * 0.78), (0.13, 0.05, 0.14), pale))
    return parts


def cat(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A sitting cat with pointed ears and a tail.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the fur; None for the natural colour.
    accent: sRGB in [0, 1] of the collar; None for the natural colour.
    """
    fur = main or (0.88, 0.56, 0.26)
    pale: Vector = (0.96, 0.93, 0.88)
    head = vary(rng, 0.36, 0.05)
    zh = 0.70
    parts = [
        cone((0, 0.06, -0.12), 0.44, 0.24, 0.46, fur, rounding=0.10),
        ellipsoid((0, -0.20, -0.06), (0.24, 0.22, 0.40), pale),
        ellipsoid((0, -0.06, zh), (head * 1.10, head, head * 0.94), fur),
        ellipsoid((0, -0.06 - head * 0.84, zh - 0.10), (0.15, 0.10, 0.10), pale),
        ball((0, -0.06 - head * 1.08, zh - 0.05), 0.05, _PINK),
        *eyes(0.17, -0.06 - head * 0.86, zh + 0.08, 0.065),
        torus((0, -0.02, zh - head * 0.84), 0.25, 0.075, accent or COLOURS["red"]),
        rod((0.10, 0.46, -0.52), (0.50, 0.52, -0.36), 0.09, fur),
        rod((0.50, 0.52, -0.36), (0.56, 0.48, 0.06), 0.085, fur),
    ]
    for x in (-1, 1):
        parts.append(cone((x * 0.24, -0.02, zh + head * 0.98), 0.15, 0.01, 0.17, fur, rounding=0.03))
        parts.append(cone((x * 0.24, -0.10, zh + head * 0.94), 0.08, 0.01, 0.12, _PINK, rounding=0.02))
        parts.append(rod((x * 0.17, -0.30, -0.10), (x * 0.17, -0.34, -0.56), 0.105, fur))
        parts.append(ellipsoid((x * 0.18, -0.40, -0.60), (0.12, 0.16, 0.09), pale))
    return parts


def pig(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A round pig with a snout, ears, four legs and a curled tail.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the skin; None for the natural colour.
    accent: not used.
    """
    skin = main or (0.96, 0.65, 0.70)
    snout: Vector = (0.86, 0.46, 0.52)
    r, length = vary(rng, 0.50, 0.06), vary(rng, 0.68, 0.06)
    parts = [
        ellipsoid((0, 0.12, 0), (r, length, r * 0.98), skin),
        ball((0, -0.52, 0.20), 0.38, skin),
        cylinder((0, -0.90, 0.14), 0.18, 0.09, snout, rounding=0.04, turn=(math.pi / 2, 0, 0)),
        *eyes(0.18, -0.80, 0.34),
        torus((0, 0.12 + length + 0.04, 0.12), 0.10, 0.04, skin, turn=(0, math.pi / 2, 0)),
    ]
    for x in (-1, 1):
        parts.append(ball((x * 0.08, -0.99, 0.14), 0.04, (0.45, 0.18, 0.22)))
        parts.append(cone((x * 0.25, -0.50, 0.58), 0.15, 0.02, 0.14, snout, rounding=0.03, turn=(0.5, x * 0.4, 0)))
        for y in (-0.30, 0.48):
            parts.append(cylinder((x * 0.27, y, -0.48), 0.14, 0.18, skin, rounding=0.04))
            parts.append(cylinder((x * 0.27, y, -0.66), 0.145, 0.06, snout, rounding=0.03))
    return parts
