"""Things to eat. Z up, the front faces -Y."""

from __future__ import annotations

import math

from training.starter.objects.palette import BUN, COLOURS, CREAM, LEAF, Rng, vary
from training.starter.primitives import Part, Vector, ball, box, cone, cylinder, dome, ellipsoid, rod, torus

_SPRINKLES: tuple[Vector, ...] = (
    (0.95, 0.20, 0.20),
    (0.20, 0.40, 0.90),
    (0.98, 0.88, 0.20),
    (0.95, 0.95, 0.95),
    (0.20, 0.70, 0.30),
)


def hamburger(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """Sesame bun, lettuce, tomato, cheese, patty, bun.

    rng: Rng, which varies the sizes.
    main, accent: not used.
    """
    r = vary(rng, 1.0, 0.06)
    patty = vary(rng, 0.17)
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


def donut(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A ring with icing on its upper half and sprinkles.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the icing; None for the natural colour.
    accent: sRGB in [0, 1] of the sprinkles; None for the natural colour.
    """
    icing = main or (0.97, 0.55, 0.70)
    tube = vary(rng, 0.38)
    parts = [torus((0, 0, 0), 0.7, tube, (0.82, 0.56, 0.28)), torus((0, 0, tube * 0.16), 0.7, tube * 0.97, icing)]
    for i in range(14):
        a, e = rng.uniform(0, 2 * math.pi), rng.uniform(0.35, math.pi - 0.35)
        ring = 0.7 + tube * 1.0 * math.cos(e)
        x, y, z = ring * math.cos(a), ring * math.sin(a), tube * 0.16 + tube * 0.98 * math.sin(e)
        b = rng.uniform(0, math.pi)
        dx, dy = 0.07 * math.cos(b), 0.07 * math.sin(b)
        parts.append(rod((x - dx, y - dy, z), (x + dx, y + dy, z), 0.035, accent or _SPRINKLES[i % 5]))
    return parts


def ice_cream(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A scoop, or two, on a waffle cone, with a cherry.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the scoops; None for the natural colour.
    accent: not used.
    """
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


def cupcake(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A swirl of frosting in a paper wrapper, with a cherry.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the frosting; None for the natural colour.
    accent: sRGB in [0, 1] of the wrapper; None for the natural colour.
    """
    frosting = main or (0.97, 0.60, 0.74)
    paper = accent or (0.72, 0.47, 0.28)
    r, h = vary(rng, 0.62, 0.06), vary(rng, 0.34, 0.1)
    parts = [cone((0, 0, 0), r * 0.70, r, h, paper, rounding=0.04)]
    for i in range(14):
        a = i * math.pi / 7
        foot, rim = r * 0.73, r * 1.03
        parts.append(
            rod(
                (foot * math.cos(a), foot * math.sin(a), -h),
                (rim * math.cos(a), rim * math.sin(a), h),
                0.045,
                paper,
            )
        )
    z, ring = h + 0.10, r * 0.80
    for share in (1.0, 0.68, 0.36):
        parts.append(ellipsoid((0, 0, z), (ring * share + 0.24, ring * share + 0.24, 0.20), frosting))
        z += 0.22
    parts.append(ball((0, 0, z + 0.06), 0.14, (0.80, 0.06, 0.12)))
    return parts


def apple(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A round apple with a stalk in its dip and a leaf.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the skin; None for the natural colour.
    accent: not used.
    """
    skin = main or COLOURS["red"]
    r = vary(rng, 0.46, 0.06)
    parts = [
        ellipsoid((0, 0, 0), (0.32 + r, 0.32 + r, 0.66), skin),
        torus((0, 0, 0.24), 0.34, r * 0.82, skin),
    ]
    parts.append(rod((0, 0, 0.45), (0.10, 0.02, 0.92), 0.055, (0.36, 0.22, 0.12)))
    lean = float(rng.uniform(0.4, 0.9))
    parts.append(ellipsoid((0.32, 0.0, 0.86), (0.27, 0.13, 0.06), LEAF, turn=(0, -lean * 0.6, 0.2)))
    return parts


def carrot(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """An upright carrot, tip down, with a tuft of leaves.

    rng: Rng, which varies the sizes.
    main, accent: not used.
    """
    orange: Vector = (0.95, 0.48, 0.10)
    r = vary(rng, 0.34, 0.1)
    parts = [
        cone((0, 0, -0.1), 0.04, r, 0.78, orange, rounding=0.05),
        ellipsoid((0, 0, 0.70), (r + 0.04, r + 0.04, 0.16), orange),
    ]
    for i in range(4):
        z = 0.45 - 0.26 * i
        ring = 0.04 + (r - 0.04) * (z + 0.88) / 1.56
        parts.append(torus((0, 0, z), ring + 0.028, 0.022, (0.82, 0.36, 0.06)))
    for i in range(7):
        a = i * 2 * math.pi / 7 + float(rng.uniform(-0.2, 0.2))
        out = 0.30 if i else 0.0
        parts.append(rod((0, 0, 0.75), (out * math.cos(a), out * math.sin(a), 1.30 + 0.1 * (i % 2)), 0.075, LEAF))
    return parts


def cake(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A two-tier birthday cake on a plate with lit candles.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the icing; None for the natural colour.
    accent: sRGB in [0, 1] of the candles; None for the natural colour.
    """
    icing = main or (0.97, 0.72, 0.80)
    candle = accent or (0.30, 0.55, 0.90)
    r = vary(rng, 0.78, 0.05)
    trim: Vector = CREAM if icing != COLOURS["white"] else (0.97, 0.72, 0.80)
    parts = [
        cylinder((0, 0, -0.44), r * 1.22, 0.05, (0.80, 0.82, 0.85), rounding=0.04),
        cylinder((0, 0, -0.12), r, 0.30, icing, rounding=0.08),
        cylinder((0, 0, 0.40), r * 0.62, 0.26, icing, rounding=0.08),
    ]
    for ring, z, count in ((r, 0.17, 14), (r * 0.62, 0.64, 9), (r, -0.38, 16)):
        for i in range(count):
            a = i * 2 * math.pi / count
            parts.append(ball((ring * 0.96 * math.cos(a), ring * 0.96 * math.sin(a), z), 0.10, trim))
    for i in range(4):
        a = i * math.pi / 2 + math.pi / 4
        x, y = 0.24 * math.cos(a), 0.24 * math.sin(a)
        parts.append(cylinder((x, y, 0.84), 0.055, 0.20, candle))
        parts.append(ellipsoid((x, y, 1.13), (0.055, 0.055, 0.10), (1.0, 0.78, 0.20)))
    return parts


def pineapple(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """An oval fruit studded with knobs under a crown of leaves.

    rng: Rng, which varies the sizes.
    main, accent: not used.
    """
    skin: Vector = (0.93, 0.68, 0.16)
    r, h = vary(rng, 0.50, 0.06), vary(rng, 0.72, 0.06)
    parts = [ellipsoid((0, 0, 0), (r, r, h), skin)]
    for row in range(6):
        e = -1.15 + row * 0.46
        for i in range(9):
            a = (i + 0.5 * (row % 2)) * 2 * math.pi / 9
            c = math.cos(e)
            parts.append(ball((r * c * math.cos(a), r * c * math.sin(a), h * math.sin(e)), 0.085, (0.80, 0.50, 0.12)))
    for ring, (out, tip) in enumerate(((0.50, 1.05), (0.34, 1.30), (0.0, 1.42))):
        for i in range(6 if out else 1):
            a = (i + 0.5 * ring) * math.pi / 3
            parts.append(
                rod((0, 0, h - 0.06), (out * math.cos(a), out * math.sin(a), h + 0.62 * (tip - 0.4)), 0.09, LEAF)
            )
    return parts


def pumpkin(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A ribbed pumpkin with a carved face in front and a stalk.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the skin; None for the natural colour.
    accent: not used.
    """
    skin = main or (0.94, 0.48, 0.10)
    h = vary(rng, 0.52, 0.08)
    parts = [ellipsoid((0, 0, 0), (0.62, 0.62, h * 0.92), skin)]
    for i in range(8):
        a = (i + 0.5) * math.pi / 4
        parts.append(ellipsoid((0.40 * math.cos(a), 0.40 * math.sin(a), 0), (0.38, 0.38, h), skin))
    glow: Vector = (0.20, 0.10, 0.05)
    for x in (-1, 1):
        parts.append(carved_eye((x * 0.24, -0.76, 0.14), glow))
    for left, z in ((-0.30, -0.16), (-0.15, -0.22), (0.0, -0.24), (0.15, -0.22), (0.30, -0.16)):
        parts.append(box((left, -0.76 + 0.25 * abs(left), z), (0.10, 0.05, 0.06), glow, rounding=0.03))
    parts.append(rod((0, 0, h * 0.8), (0.08, 0.02, h + 0.24), 0.10, (0.34, 0.46, 0.18)))
    return parts


def carved_eye(centre: Vector, colour: Vector) -> Part:
    """A three-cornered eye that faces the front.

    centre: (x, y, z).
    colour: sRGB in [0, 1].
    """
    return cone(centre, 0.12, 0.0, 0.10, colour, turn=(0.35, 0, 0))


def mushroom(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A spotted cap on a thick stem.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the cap; None for the natural colour.
    accent: sRGB in [0, 1] of the spots; None for the natural colour.
    """
    cap = main or COLOURS["red"]
    r, h = vary(rng, 0.82, 0.08), vary(rng, 0.66, 0.1)
    parts = [
        cone((0, 0, -0.35), 0.34, 0.24, 0.42, CREAM, rounding=0.05),
        dome((0, 0, -0.04), (r, r, h), cap, rounding=0.08),
        cylinder((0, 0, -0.03), r * 0.84, 0.04, CREAM, rounding=0.03),
    ]
    spot: Vector = accent or ((0.97, 0.96, 0.93) if main != COLOURS["white"] else (0.8, 0.2, 0.2))
    start = rng.uniform(0, 2 * math.pi)
    for i in range(6):
        a, e = start + i * math.pi / 3, 0.42 + 0.34 * (i % 2)
        c = math.cos(e)
        parts.append(ball((r * c * math.cos(a), r * c * math.sin(a), -0.04 + h * math.sin(e) - 0.04), 0.14, spot))
    parts.append(ball((0, 0, h - 0.10), 0.15, spot))
    return parts
