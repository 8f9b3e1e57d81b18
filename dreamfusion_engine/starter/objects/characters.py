"""Things with a face. Z up, the front faces -Y."""

from __future__ import annotations

import math

from dreamfusion_engine.starter.objects.palette import COLOURS, DARK, STEEL, Rng, vary
from dreamfusion_engine.starter.primitives import Part, Vector, ball, box, cone, cylinder, ellipsoid, rod, torus


def snowman(rng: Rng, main: Vector | None) -> list[Part]:
    """Three balls, a hat, a scarf, coal and a carrot; the colour is the hat's and scarf's."""
    snow: Vector = (0.95, 0.96, 0.98)
    scarf = main or COLOURS["red"]
    hat = main or DARK
    a, b, c = vary(rng, 0.62, 0.06), vary(rng, 0.46, 0.06), 0.34
    zb = a * 0.8 + b * 0.75
    zc = zb + b * 0.75 + c * 0.7
    parts = [
        ball((0, 0, 0), a, snow),
        ball((0, 0, zb), b, snow),
        ball((0, 0, zc), c, snow),
        torus((0, 0, zc - c * 0.75), 0.25, 0.09, scarf),
        cylinder((0, 0, zc + c * 0.75), 0.42, 0.04, hat),
        cylinder((0, 0, zc + c * 0.75 + 0.22), 0.27, 0.22, hat),
        cone((0, -c - 0.14, zc), 0.07, 0.01, 0.17, COLOURS["orange"], turn=(math.pi / 2, 0, 0)),
        ball((-0.13, -c * 0.88, zc + 0.12), 0.055, DARK),
        ball((0.13, -c * 0.88, zc + 0.12), 0.055, DARK),
    ]
    for k in (-0.18, 0.02, 0.22):
        parts.append(ball((0, -math.sqrt(max(b * b - k * k, 0.01)), zb + k), 0.055, DARK))
    for x in (-1, 1):
        parts.append(rod((x * b * 0.9, 0, zb + 0.1), (x * (b + 0.42), 0, zb + 0.38), 0.035, (0.36, 0.22, 0.12)))
    return parts


def robot(rng: Rng, main: Vector | None) -> list[Part]:
    """A boxy robot with eyes, antenna, arms and legs."""
    colour = main or STEEL
    w, h = vary(rng, 0.42, 0.08), vary(rng, 0.42, 0.08)
    head = vary(rng, 0.30, 0.08)
    joint: Vector = (0.30, 0.31, 0.34)
    top = h + 0.1 + head
    parts = [
        box((0, 0, 0), (w, 0.30, h), colour, rounding=0.08),
        cylinder((0, 0, h + 0.04), 0.12, 0.08, joint),
        box((0, 0, top), (head * 1.1, 0.27, head * 0.9), colour, rounding=0.08),
        box((0, -0.30, 0.08), (w * 0.6, 0.03, h * 0.4), (0.95, 0.83, 0.25), rounding=0.02),
        rod((0, 0, top + head * 0.8), (0, 0, top + head + 0.2), 0.035, joint),
        ball((0, 0, top + head + 0.24), 0.09, COLOURS["red"]),
    ]
    for x in (-1, 1):
        parts.append(ball((x * 0.14, -0.26, top + 0.05), 0.085, (0.98, 0.98, 0.70)))
        parts.append(rod((x * (w + 0.12), 0, h * 0.7), (x * (w + 0.20), -0.06, -h * 0.7), 0.10, joint))
        parts.append(ball((x * (w + 0.20), -0.06, -h * 0.85), 0.14, colour))
        parts.append(cylinder((x * w * 0.5, 0, -h - 0.2), 0.12, 0.22, joint))
        parts.append(box((x * w * 0.5, -0.08, -h - 0.44), (0.17, 0.26, 0.09), colour, rounding=0.06))
    return parts


def duck(rng: Rng, main: Vector | None) -> list[Part]:
    """A bath duck: body, head, bill towards -Y, wings and tail."""
    colour = main or COLOURS["yellow"]
    r = vary(rng, 0.60, 0.06)
    head = vary(rng, 0.40, 0.06)
    zh = 0.72
    parts = [
        ellipsoid((0, 0.08, 0), (r, r * 1.3, 0.50), colour),
        ball((0, -0.38, zh), head, colour),
        ellipsoid((0, -0.38 - head - 0.06, zh - 0.06), (0.19, 0.22, 0.08), COLOURS["orange"]),
        cone((0, r * 1.3 + 0.02, 0.26), 0.26, 0.03, 0.28, colour, turn=(-0.9, 0, 0)),
    ]
    for x in (-1, 1):
        parts.append(ball((x * 0.2, -0.38 - head * 0.82, zh + 0.13), 0.07, DARK))
        parts.append(ellipsoid((x * r * 0.92, 0.16, 0.06), (0.13, 0.48, 0.28), colour))
    return parts
