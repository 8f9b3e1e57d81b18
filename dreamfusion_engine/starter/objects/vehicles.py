"""Things that drive and fly. Z up, the front faces -Y."""

from __future__ import annotations

import math

from dreamfusion_engine.starter.objects.palette import COLOURS, DARK, GLASS, Rng, vary
from dreamfusion_engine.starter.primitives import Part, Vector, box, cone, cylinder, ellipsoid


def rocket(rng: Rng, main: Vector | None) -> list[Part]:
    """A body with a pointed nose, a round window, fins and a nozzle; the colour is the nose's and fins'."""
    accent = main or COLOURS["red"]
    r, h = vary(rng, 0.36), vary(rng, 0.85)
    parts = [
        cylinder((0, 0, 0), r, h, (0.93, 0.94, 0.95), rounding=0.06),
        cone((0, 0, h + 0.33), r * 0.97, 0.02, 0.36, accent),
        cone((0, 0, -h - 0.08), r * 0.85, r * 0.6, 0.12, (0.35, 0.36, 0.40)),
        cylinder((0, -r * 0.92, h * 0.35), 0.19, 0.06, accent, turn=(math.pi / 2, 0, 0)),
        cylinder((0, -r * 0.98, h * 0.35), 0.13, 0.05, GLASS, turn=(math.pi / 2, 0, 0)),
    ]
    for i in range(4):
        t = i * math.pi / 2 + math.pi / 4
        x, y = math.cos(t), math.sin(t)
        parts.append(
            box(
                (x * (r + 0.17), y * (r + 0.17), -h + 0.12),
                (0.24, 0.05, 0.30),
                accent,
                rounding=0.05,
                turn=(0, 0.35, t),
            )
        )
    return parts


def car(rng: Rng, main: Vector | None) -> list[Part]:
    """A rounded body and cabin, four wheels, lamps; drives towards -Y."""
    colour = main or COLOURS["red"]
    w, length = vary(rng, 0.48, 0.06), vary(rng, 1.0, 0.08)
    cab = vary(rng, 0.52, 0.1)
    parts = [
        box((0, 0, 0), (w, length, 0.22), colour, rounding=0.16),
        box((0, 0.12, 0.30), (w * 0.86, cab, 0.24), GLASS, rounding=0.12),
        box((0, 0.12, 0.52), (w * 0.80, cab * 0.82, 0.06), colour, rounding=0.05),
    ]
    for x in (-1, 1):
        parts.append(ellipsoid((x * w * 0.65, -length + 0.03, 0.04), (0.11, 0.06, 0.09), (0.99, 0.96, 0.75)))
        parts.append(ellipsoid((x * w * 0.65, length - 0.03, 0.04), (0.11, 0.06, 0.07), (0.75, 0.05, 0.05)))
        for y in (-0.6, 0.6):
            parts.append(
                cylinder((x * (w - 0.02), y * length, -0.2), 0.25, 0.10, DARK, rounding=0.05, turn=(0, math.pi / 2, 0))
            )
            parts.append(
                cylinder((x * (w + 0.06), y * length, -0.2), 0.12, 0.04, (0.75, 0.76, 0.78), turn=(0, math.pi / 2, 0))
            )
    return parts
