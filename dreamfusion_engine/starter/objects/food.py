"""Things to eat. Z up, the front faces -Y."""

from __future__ import annotations

import math

from dreamfusion_engine.starter.objects.palette import BUN, COLOURS, CREAM, Rng, vary
from dreamfusion_engine.starter.primitives import Part, Vector, ball, box, cone, cylinder, ellipsoid, rod, torus


def hamburger(rng: Rng, main: Vector | None) -> list[Part]:
    """Sesame bun, lettuce, tomato, cheese, patty, bun."""
    r = vary(rng, 1.0, 0.06)
    patty = vary(rng, 0.17)
    z = 0.0
    parts = [cylinder((0, 0, 0.16), r, 0.18, BUN, rounding=0.15)]
    z = 0.34 + patty
    parts.append(cylinder((0, 0, z), r * 1.04, patty, (0.35, 0.18, 0.10), rounding=0.12))
    z += patty
    turn = float(rng.uniform(0, math.pi))
    parts.append(
        box((0, 0, z + 0.03), (r * 0.86, r * 0.86, 0.045), (0.98, 0.76, 0.15), rounding=0.04, turn=(0, 0, turn))
    )
    z += 0.09
    parts.append(cylinder((0, 0, z + 0.03), r * 0.98, 0.06, (0.84, 0.16, 0.12), rounding=0.05))
    z += 0.11
    parts.append(cylinder((0, 0, z + 0.02), r * 1.12, 0.06, (0.42, 0.74, 0.20), rounding=0.05))
    z += 0.06
    top = vary(rng, 0.50, 0.1)
    parts.append(ellipsoid((0, 0, z + 0.04), (r * 1.02, r * 1.02, top), BUN))
    for _ in range(12):
        a, e = rng.uniform(0, 2 * math.pi), rng.uniform(0.55, 1.45)
        c = math.cos(e)
        parts.append(
            ellipsoid(
                (r * 1.02 * c * math.cos(a), r * 1.02 * c * math.sin(a), z + 0.04 + top * math.sin(e)),
                (0.065, 0.065, 0.05),
                (0.98, 0.92, 0.74),
            )
        )
    return parts


def donut(rng: Rng, main: Vector | None) -> list[Part]:
    """A ring with icing on its upper half and sprinkles."""
    icing = main or (0.97, 0.55, 0.70)
    tube = vary(rng, 0.38)
    parts = [torus((0, 0, 0), 0.7, tube, (0.82, 0.56, 0.28)), torus((0, 0, tube * 0.16), 0.7, tube * 0.97, icing)]
    sprinkles: list[Vector] = [
        (0.95, 0.2, 0.2),
        (0.2, 0.4, 0.9),
        (0.98, 0.88, 0.2),
        (0.95, 0.95, 0.95),
        (0.2, 0.7, 0.3),
    ]
    for i in range(14):
        a, e = rng.uniform(0, 2 * math.pi), rng.uniform(0.35, math.pi - 0.35)
        ring = 0.7 + tube * 1.0 * math.cos(e)
        x, y, z = ring * math.cos(a), ring * math.sin(a), tube * 0.16 + tube * 0.98 * math.sin(e)
        b = rng.uniform(0, math.pi)
        dx, dy = 0.07 * math.cos(b), 0.07 * math.sin(b)
        parts.append(rod((x - dx, y - dy, z), (x + dx, y + dy, z), 0.035, sprinkles[i % 5]))
    return parts


def ice_cream(rng: Rng, main: Vector | None) -> list[Part]:
    """A scoop, or two, on a waffle cone, with a cherry."""
    scoop = main or COLOURS["pink"]
    r = vary(rng, 0.50, 0.06)
    parts = [
        cone((0, 0, -0.62), 0.05, 0.44, 0.60, (0.86, 0.60, 0.28)),
        torus((0, 0, 0.0), r * 0.86, 0.12, scoop),
        ball((0, 0, 0.16), r, scoop),
    ]
    top = 0.16 + r
    if rng.random() < 0.5:
        parts.append(ball((0, 0, 0.16 + r * 1.15), r * 0.78, CREAM if main is None else scoop))
        top = 0.16 + r * 1.93
    parts.append(ball((0, 0, top + 0.05), 0.12, (0.80, 0.06, 0.12)))
    return parts
