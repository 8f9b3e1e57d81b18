"""Buildings. Z up, the front, with the door, faces -Y."""

from __future__ import annotations

import math

from training.starter.objects.palette import COLOURS, CREAM, DARK, GLASS, WOOD, Rng, vary
from training.starter.primitives import Part, Vector, ball, box, cone, cylinder, dome, rod, wedge

_DOOR: Vector = (0.40, 0.24, 0.12)
_ROOF: Vector = (0.70, 0.24, 0.18)
_AHEAD = (math.pi / 2, 0.0, 0.0)


def house(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """Walls, a gable roof, a door in front, windows.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the walls and chimney; None for the natural colour.
    accent: sRGB in [0, 1] of the roof; None for the natural colour.
    """
    walls, roof = main or CREAM, accent or _ROOF
    w, d, h = vary(rng, 0.62, 0.08), vary(rng, 0.62, 0.08), 0.48
    rise = vary(rng, 0.34, 0.15)
    parts = [
        box((0, 0, 0), (w, d, h), walls, rounding=0.03),
        wedge((0, 0, h + rise - 0.04), (w + 0.16, d + 0.12, rise), roof, rounding=0.03),
        box((0, -d, -0.16), (0.16, 0.05, 0.32), _DOOR, rounding=0.03),
        box((0.36, 0.22, h + rise * 1.2), (0.15, 0.15, 0.30), walls, rounding=0.02),
        box((0, d, 0.05), (0.2, 0.04, 0.15), GLASS, rounding=0.02),
    ]
    for x in (-1, 1):
        parts.append(box((x * 0.40, -d, 0.10), (0.13, 0.04, 0.14), GLASS, rounding=0.02))
        parts.append(box((x * w, 0.0, 0.05), (0.04, 0.18, 0.15), GLASS, rounding=0.02))
    return parts


def castle(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """Four round towers with pointed roofs around a keep, a gate in front.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the towers and keep; None for the natural colour.
    accent: sRGB in [0, 1] of the roofs; None for the natural colour.
    """
    stone = main or (0.70, 0.69, 0.66)
    roof = accent or COLOURS["blue"]
    w, h = vary(rng, 0.58, 0.05), vary(rng, 0.42, 0.06)
    parts = [
        box((0, 0, -0.12), (w, w, h * 0.72), stone, rounding=0.02),
        cylinder((0, 0.10, 0.30), 0.27, 0.44, stone, rounding=0.02),
        cone((0, 0.10, 0.98), 0.34, 0.02, 0.28, roof),
        box((0, -w, -0.22), (0.17, 0.05, 0.22), _DOOR, rounding=0.04),
        cylinder((0, -w, 0.0), 0.17, 0.05, _DOOR, turn=_AHEAD),
    ]
    for x in (-1, 1):
        for y in (-1, 1):
            parts.append(cylinder((x * w, y * w, 0.02), 0.21, 0.46, stone, rounding=0.02))
            parts.append(cone((x * w, y * w, 0.70), 0.28, 0.02, 0.24, roof))
        for k in (-1, 0, 1):
            parts.append(box((x * w, k * 0.24, 0.22), (0.06, 0.07, 0.08), stone, rounding=0.02))
            parts.append(box((k * 0.24, x * w, 0.22), (0.07, 0.06, 0.08), stone, rounding=0.02))
    return parts


def lighthouse(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A tapering tower on a rock, a gallery, a lantern and a cap.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the tower; None for the natural colour.
    accent: sRGB in [0, 1] of the cap; None for the natural colour.
    """
    tower = main or (0.94, 0.94, 0.92)
    cap = accent or COLOURS["red"]
    r = vary(rng, 0.36, 0.06)
    parts = [
        dome((0, 0, -1.0), (0.60, 0.60, 0.22), (0.50, 0.49, 0.47)),
        cone((0, 0, -0.20), r, r * 0.62, 0.64, tower),
        cylinder((0, 0, 0.48), r * 0.95, 0.05, DARK),
        cylinder((0, 0, 0.66), r * 0.50, 0.16, (0.99, 0.93, 0.60)),
        cone((0, 0, 0.95), r * 0.78, 0.02, 0.15, cap),
        ball((0, 0, 1.14), 0.06, cap),
        box((0, -r * 0.96, -0.66), (0.11, 0.05, 0.18), _DOOR, rounding=0.03),
        box((0, -r * 0.76, 0.05), (0.07, 0.05, 0.09), GLASS, rounding=0.02),
    ]
    if main is None:
        for z in (-0.42, 0.10):
            share = 1.0 - 0.38 * (z + 0.84) / 1.28
            parts.append(cylinder((0, 0, z), r * share + 0.035, 0.12, COLOURS["red"], rounding=0.02))
    return parts


def windmill(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A tapering mill with a cap and four sails in front.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the walls; None for the natural colour.
    accent: sRGB in [0, 1] of the sails; None for the natural colour.
    """
    walls = main or CREAM
    sails = accent or (0.93, 0.93, 0.90)
    r = vary(rng, 0.44, 0.06)
    parts = [
        cone((0, 0, -0.24), r, r * 0.68, 0.62, walls),
        dome((0, 0, 0.38), (r * 0.80, r * 0.80, 0.36), _ROOF),
        rod((0, -0.20, 0.42), (0, -0.52, 0.42), 0.07, WOOD),
        box((0, -r * 0.96, -0.66), (0.12, 0.05, 0.20), _DOOR, rounding=0.03),
        box((0, -r * 0.84, -0.10), (0.09, 0.05, 0.10), GLASS, rounding=0.02),
    ]
    start = float(rng.uniform(0, math.pi / 2))
    for i in range(4):
        a = start + i * math.pi / 2
        x, z = math.cos(a), math.sin(a)
        parts.append(rod((0, -0.50, 0.42), (0.74 * x, -0.50, 0.42 + 0.74 * z), 0.04, WOOD))
        parts.append(
            box((0.46 * x, -0.52, 0.42 + 0.46 * z), (0.32, 0.035, 0.12), sails, rounding=0.03, turn=(0, -a, 0))
        )
    return parts


def tent(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A ridge tent with poles and an opening in front.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the cloth; None for the natural colour.
    accent: sRGB in [0, 1] of the opening; None for the natural colour.
    """
    cloth = main or COLOURS["orange"]
    w, d, h = vary(rng, 0.80, 0.06), vary(rng, 0.86, 0.08), vary(rng, 0.52, 0.08)
    parts = [
        wedge((0, 0, 0), (w, d, h), cloth, rounding=0.03),
        wedge((0, -d - 0.01, -0.16 * h), (w * 0.34, 0.03, h * 0.80), accent or DARK, rounding=0.01),
        box((0, 0, -h - 0.03), (w + 0.06, d + 0.06, 0.04), (0.45, 0.40, 0.30), rounding=0.03),
    ]
    for y in (-1, 1):
        parts.append(rod((0, y * (d + 0.03), -h), (0, y * (d + 0.03), h + 0.10), 0.045, WOOD))
    return parts
