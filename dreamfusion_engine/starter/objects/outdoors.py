"""Things that stand outdoors. Z up, the front faces -Y."""

from __future__ import annotations

import math

from dreamfusion_engine.starter.objects.palette import COLOURS, CREAM, GLASS, Rng, vary
from dreamfusion_engine.starter.primitives import Part, Vector, ball, box, cone, cylinder, ellipsoid, rod, torus


def mushroom(rng: Rng, main: Vector | None) -> list[Part]:
    """A spotted cap on a thick stem."""
    cap = main or COLOURS["red"]
    r, h = vary(rng, 0.82, 0.08), vary(rng, 0.52, 0.1)
    parts = [
        cone((0, 0, -0.35), 0.34, 0.24, 0.42, CREAM, rounding=0.05),
        ellipsoid((0, 0, 0.12), (r, r, h), cap),
        cylinder((0, 0, 0.02), r * 0.84, 0.06, CREAM, rounding=0.05),
    ]
    spot: Vector = (0.97, 0.96, 0.93) if cap != COLOURS["white"] else (0.8, 0.2, 0.2)
    start = rng.uniform(0, 2 * math.pi)
    for i in range(6):
        a, e = start + i * math.pi / 3, 0.62 + 0.2 * (i % 2)
        c = math.cos(e)
        parts.append(ball((r * c * math.cos(a), r * c * math.sin(a), 0.12 + h * math.sin(e) - 0.03), 0.13, spot))
    parts.append(ball((0, 0, 0.12 + h - 0.06), 0.14, spot))
    return parts


def house(rng: Rng, main: Vector | None) -> list[Part]:
    """Walls, a gable roof, a door in front, windows and a chimney; the colour is the roof's."""
    roof = main or (0.70, 0.24, 0.18)
    w, d, h = vary(rng, 0.62, 0.08), vary(rng, 0.62, 0.08), 0.48
    pitch = 0.72
    slope = (w + 0.18) / math.cos(pitch) / 2
    peak = h + (w + 0.10) * math.tan(pitch)
    parts = [
        box((0, 0, 0), (w, d, h), CREAM, rounding=0.03),
        box((0, 0, h), (w * 0.68, d, w * 0.68), CREAM, rounding=0.02, turn=(0, math.pi / 4, 0)),
        box((0, -d, -0.16), (0.16, 0.05, 0.32), (0.40, 0.24, 0.12), rounding=0.03),
        box((0.34, 0.2, peak * 0.86), (0.10, 0.10, 0.24), (0.55, 0.25, 0.20), rounding=0.02),
    ]
    for x in (-1, 1):
        parts.append(
            box(
                (x * (w + 0.10) / 2, 0, (h + peak) / 2 - 0.03),
                (slope, d + 0.12, 0.06),
                roof,
                rounding=0.03,
                turn=(0, x * pitch, 0),
            )
        )
        parts.append(box((x * 0.40, -d, 0.08), (0.12, 0.04, 0.13), GLASS, rounding=0.02))
        parts.append(box((x * w, 0.0, 0.05), (0.04, 0.18, 0.15), GLASS, rounding=0.02))
    parts.append(box((0, d, 0.05), (0.2, 0.04, 0.15), GLASS, rounding=0.02))
    return parts


def cactus(rng: Rng, main: Vector | None) -> list[Part]:
    """A column with two arms in a pot; the colour is the pot's."""
    green: Vector = (0.24, 0.58, 0.28)
    pot = main or (0.76, 0.40, 0.24)
    h = vary(rng, 0.85, 0.08)
    parts = [
        cone((0, 0, -0.30), 0.34, 0.46, 0.26, pot, rounding=0.04),
        torus((0, 0, -0.05), 0.44, 0.08, pot),
        rod((0, 0, -0.1), (0, 0, h), 0.26, green),
    ]
    for x, z in ((-1, vary(rng, 0.30, 0.3)), (1, vary(rng, 0.48, 0.3))):
        parts.append(rod((0, 0, z), (x * 0.52, 0, z + 0.04), 0.13, green))
        parts.append(rod((x * 0.52, 0, z + 0.04), (x * 0.52, 0, z + 0.42), 0.13, green))
    parts.append(ball((0, 0, h + 0.27), 0.12, (0.95, 0.40, 0.62)))
    return parts


def tree(rng: Rng, main: Vector | None) -> list[Part]:
    """A conifer of three tiers on a trunk."""
    green = main or (0.16, 0.50, 0.24)
    r = vary(rng, 0.72, 0.1)
    parts = [cylinder((0, 0, -0.72), 0.15, 0.3, (0.42, 0.26, 0.14))]
    for i in range(3):
        parts.append(cone((0, 0, -0.22 + 0.46 * i), r * (1.0 - 0.24 * i), 0.03, 0.38, green, rounding=0.04))
    return parts
