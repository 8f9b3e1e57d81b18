"""Plants. Z up, the front faces -Y."""

from __future__ import annotations

import math

from training.starter.objects.palette import LEAF, Rng, vary
from training.starter.primitives import Part, Vector, ball, cone, cylinder, ellipsoid, rod, torus

_CLAY: Vector = (0.76, 0.40, 0.24)
_BARK: Vector = (0.42, 0.26, 0.14)


def flower_pot(colour: Vector) -> list[Part]:
    """A pot whose rim is at z = -0.05.

    colour: sRGB in [0, 1].
    """
    return [cone((0, 0, -0.30), 0.34, 0.46, 0.26, colour, rounding=0.04), torus((0, 0, -0.05), 0.44, 0.08, colour)]


def cactus(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A column with two arms in a pot.

    rng: Rng, which varies the sizes.
    main: not used.
    accent: sRGB in [0, 1] of the pot; None for the natural colour.
    """
    green: Vector = (0.24, 0.58, 0.28)
    h = vary(rng, 0.85, 0.08)
    parts = [*flower_pot(accent or _CLAY), rod((0, 0, -0.1), (0, 0, h), 0.26, green)]
    for x, z in ((-1, vary(rng, 0.30, 0.3)), (1, vary(rng, 0.48, 0.3))):
        parts.append(rod((0, 0, z), (x * 0.52, 0, z + 0.04), 0.13, green))
        parts.append(rod((x * 0.52, 0, z + 0.04), (x * 0.52, 0, z + 0.42), 0.13, green))
    parts.append(ball((0, 0, h + 0.27), 0.12, (0.95, 0.40, 0.62)))
    return parts


def pine_tree(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A conifer of three tiers on a trunk.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the needles; None for the natural colour.
    accent: not used.
    """
    green = main or (0.16, 0.50, 0.24)
    r = vary(rng, 0.72, 0.1)
    parts = [cylinder((0, 0, -0.72), 0.15, 0.3, _BARK)]
    for i in range(3):
        parts.append(cone((0, 0, -0.22 + 0.46 * i), r * (1.0 - 0.24 * i), 0.03, 0.38, green, rounding=0.04))
    return parts


def palm_tree(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """A bent trunk on an islet of sand, drooping fronds, coconuts.

    rng: Rng, which varies the sizes.
    main, accent: not used.
    """
    lean = float(rng.uniform(0.08, 0.26))
    top = (lean, 0.0, 0.72)
    parts = [
        ellipsoid((0, 0, -0.88), (0.52, 0.52, 0.16), (0.93, 0.82, 0.56)),
        rod((0, 0, -0.85), (lean * 0.3, 0, -0.1), 0.13, (0.58, 0.40, 0.22)),
        rod((lean * 0.3, 0, -0.1), top, 0.11, (0.58, 0.40, 0.22)),
    ]
    for i in range(7):
        a = (i + 0.3) * 2 * math.pi / 7
        x, y = math.cos(a), math.sin(a)
        middle = (top[0] + 0.36 * x, 0.36 * y, top[2] + 0.17)
        parts.append(rod(top, middle, 0.085, LEAF))
        parts.append(rod(middle, (top[0] + 0.72 * x, 0.72 * y, top[2] - 0.12), 0.075, (0.20, 0.56, 0.22)))
    for i in range(3):
        a = i * 2 * math.pi / 3
        parts.append(ball((top[0] + 0.13 * math.cos(a), 0.13 * math.sin(a), top[2] - 0.10), 0.11, _BARK))
    return parts


def flower(rng: Rng, main: Vector | None, accent: Vector | None) -> list[Part]:
    """One big bloom that faces the front, in a pot.

    rng: Rng, which varies the sizes.
    main: sRGB in [0, 1] of the petals; None for the natural colour.
    accent: sRGB in [0, 1] of the pot; None for the natural colour.
    """
    petal = main or (0.97, 0.55, 0.70)
    h = vary(rng, 0.80, 0.08)
    count = int(rng.integers(6, 9))
    parts = [*flower_pot(accent or _CLAY), rod((0, 0, -0.1), (0, 0, h), 0.07, LEAF)]
    for i in range(count):
        a = i * 2 * math.pi / count
        parts.append(
            ellipsoid(
                (0.34 * math.cos(a), -0.04, h + 0.34 * math.sin(a)),
                (0.27, 0.10, 0.17),
                petal,
                turn=(0, -a, 0),
            )
        )
    core: Vector = (0.98, 0.80, 0.15) if petal[0] < 0.9 or petal[2] > 0.5 else (0.45, 0.27, 0.14)
    parts.append(ellipsoid((0, -0.09, h), (0.20, 0.13, 0.20), core))
    for x in (-1, 1):
        parts.append(ellipsoid((x * 0.26, 0, 0.22), (0.26, 0.12, 0.07), LEAF, turn=(0, -x * 0.5, 0)))
    return parts
