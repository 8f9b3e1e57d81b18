"""Props of games and feasts. Z up, the front faces -Y."""

from __future__ import annotations

import math

from training.starter.objects.palette import COLOURS, Rng, vary
from training.starter.primitives import Part, Vector, ball, box, cone, cylinder, ellipsoid, rod, torus

_GOLD: Vector = (0.93, 0.74, 0.22)


def crown(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A band with eight points over a velvet cap.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the metal; None for the natural colour.
    accent: sRGB in [0, 1] of the jewels; None for the natural colour.
    """
    metal = main or _GOLD
    jewel = accent or COLOURS["red"]
    r = vary(rng, 0.72, 0.06)
    parts = [
        cylinder((0, 0, -0.30), r, 0.16, metal, rounding=0.05),
        ellipsoid((0, 0, -0.16), (r * 0.86, r * 0.86, 0.42), (0.55, 0.10, 0.20)),
    ]
    for i in range(8):
        a = i * math.pi / 4 + math.pi / 8
        x, y = math.cos(a), math.sin(a)
        parts.append(cone((r * 0.94 * x, r * 0.94 * y, 0.16), 0.22, 0.03, 0.34, metal, rounding=0.03))
        parts.append(ball((r * 0.94 * x, r * 0.94 * y, 0.58), 0.10, metal))
        parts.append(ball((r * x, r * y, -0.28), 0.105, jewel))
    return parts


def chest(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A treasure chest with a vaulted lid, bands and a lock.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the wood; None for the natural colour.
    accent: sRGB in [0, 1] of the lid; None for the natural colour.
    """
    wood = main or (0.50, 0.30, 0.15)
    lid = accent or wood
    w, d, h = vary(rng, 0.80, 0.06), vary(rng, 0.50, 0.06), vary(rng, 0.34, 0.08)
    along = (0.0, math.pi / 2, 0.0)
    parts = [
        box((0, 0, 0), (w, d, h), wood, rounding=0.04),
        cylinder((0, 0, h + 0.05), d, w, lid, rounding=0.04, turn=along),
        box((0, 0, h + 0.02), (w + 0.03, d + 0.03, 0.05), _GOLD, rounding=0.03),
        box((0, -d - 0.02, h - 0.02), (0.13, 0.06, 0.17), _GOLD, rounding=0.04),
        ball((0, -d - 0.08, h - 0.04), 0.05, (0.15, 0.12, 0.10)),
    ]
    for x in (-0.62, 0.62):
        parts.append(box((x * w, 0, 0), (0.08, d + 0.03, h + 0.02), _GOLD, rounding=0.02))
        parts.append(cylinder((x * w, 0, h + 0.05), d + 0.03, 0.08, _GOLD, rounding=0.02, turn=along))
    return parts


def gift(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A box tied with a ribbon and a bow.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the paper; None for the natural colour.
    accent: sRGB in [0, 1] of the ribbon; None for the natural colour.
    """
    paper = main or COLOURS["blue"]
    ribbon = accent or (0.97, 0.83, 0.16)
    w, h = vary(rng, 0.60, 0.08), vary(rng, 0.50, 0.12)
    parts = [
        box((0, 0, 0), (w, w, h), paper, rounding=0.04),
        box((0, 0, h), (w + 0.05, w + 0.05, 0.12), paper, rounding=0.04),
        box((0, 0, 0.04), (0.13, w + 0.075, h + 0.10), ribbon, rounding=0.02),
        box((0, 0, 0.04), (w + 0.075, 0.13, h + 0.10), ribbon, rounding=0.02),
        ball((0, 0, h + 0.20), 0.12, ribbon),
    ]
    for a in (0.4, 0.4 + math.pi / 2, 0.4 + math.pi, 0.4 + 1.5 * math.pi):
        x, y = math.cos(a), math.sin(a)
        parts.append(ellipsoid((0.24 * x, 0.24 * y, h + 0.26), (0.24, 0.13, 0.10), ribbon, turn=(0, -0.5, a)))
    return parts


def wizard_hat(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A pointed hat with a broad brim, a band and a bent tip.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the felt; None for the natural colour.
    accent: sRGB in [0, 1] of the band; None for the natural colour.
    """
    felt = main or COLOURS["purple"]
    band = accent or (0.97, 0.83, 0.16)
    r, h = vary(rng, 0.50, 0.06), vary(rng, 0.52, 0.08)
    bend = float(rng.uniform(0.10, 0.24))
    return [
        cylinder((0, 0, -0.60), r * 1.75, 0.06, felt, rounding=0.05),
        cone((0, 0, -0.54 + h), r, r * 0.34, h, felt, rounding=0.04),
        rod((0, 0, -0.54 + 2 * h), (bend, 0, -0.30 + 2 * h), r * 0.30, felt),
        rod((bend, 0, -0.30 + 2 * h), (bend * 2.4, 0, -0.14 + 2 * h), r * 0.18, felt),
        cylinder((0, 0, -0.42), r * 0.98 + 0.03, 0.10, band, rounding=0.03),
        box((0, -r - 0.02, -0.42), (0.13, 0.05, 0.13), COLOURS["white"], rounding=0.03),
    ]


def barrel(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A bulging barrel with hoops.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the staves; None for the natural colour.
    accent: sRGB in [0, 1] of the hoops; None for the natural colour.
    """
    staves = main or (0.60, 0.38, 0.19)
    hoop = accent or (0.36, 0.37, 0.40)
    r, h = vary(rng, 0.50, 0.06), vary(rng, 0.72, 0.05)
    parts = [
        cone((0, 0, -h / 2), r, r * 1.22, h / 2, staves),
        cone((0, 0, h / 2), r * 1.22, r, h / 2, staves),
    ]
    for z, ring in ((-0.62, 1.08), (0.62, 1.08), (-0.16, 1.19), (0.16, 1.19)):
        parts.append(cylinder((0, 0, z * h), r * ring + 0.03, 0.06, hoop, rounding=0.02))
    for z in (-1, 1):
        parts.append(torus((0, 0, z * h), r * 0.95, 0.06, staves))
    return parts
