"""The kinds of objects in the corpus: each a short function of a random generator that returns coloured primitives.

Z up, the front faces -Y. `main` is the colour the caption names, or None for the natural one. Sizes vary a little, so
that the model learns the kind and not one instance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dreamfusion_engine.starter.primitives import (
    Part,
    Vector,
    ball,
    box,
    cone,
    cylinder,
    ellipsoid,
    normalised,
    rod,
    torus,
)

Rng = np.random.Generator

COLOURS: dict[str, Vector] = {
    "red": (0.84, 0.12, 0.12),
    "orange": (0.96, 0.52, 0.10),
    "yellow": (0.97, 0.83, 0.16),
    "green": (0.20, 0.62, 0.22),
    "blue": (0.14, 0.34, 0.82),
    "purple": (0.50, 0.20, 0.68),
    "pink": (0.97, 0.55, 0.70),
    "white": (0.94, 0.94, 0.93),
    "black": (0.10, 0.10, 0.11),
    "brown": (0.45, 0.27, 0.14),
}

DARK: Vector = (0.12, 0.12, 0.14)
STEEL: Vector = (0.62, 0.65, 0.69)
WOOD: Vector = (0.62, 0.41, 0.22)
GLASS: Vector = (0.55, 0.77, 0.90)
CREAM: Vector = (0.96, 0.90, 0.76)
BUN: Vector = (0.85, 0.56, 0.24)


def vary(rng: Rng, value: float, share: float = 0.12) -> float:
    """`value` times a uniform factor in [1 - share, 1 + share]."""
    return float(value * rng.uniform(1.0 - share, 1.0 + share))


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


def mug(rng: Rng, main: Vector | None) -> list[Part]:
    """A cup with a handle at the right, and coffee in it."""
    colour = main or COLOURS["white"]
    r, h = vary(rng, 0.62), vary(rng, 0.72)
    return [
        cylinder((0, 0, 0), r, h, colour, rounding=0.08),
        torus((0, 0, h - 0.02), r - 0.07, 0.07, colour),
        cylinder((0, 0, h - 0.005), r - 0.10, 0.02, (0.30, 0.17, 0.09), rounding=0.01),
        torus((r + 0.06, 0, 0), vary(rng, 0.36), 0.10, colour, turn=(math.pi / 2, 0, 0)),
    ]


def chair(rng: Rng, main: Vector | None) -> list[Part]:
    """Four legs, a seat and a back."""
    colour = main or WOOD
    w, seat, back = vary(rng, 0.52), vary(rng, 0.0, 0), vary(rng, 0.95)
    leg = vary(rng, 0.075)
    parts = [
        box((0, 0, seat), (w, w, 0.09), colour, rounding=0.05),
        box((0, w - 0.06, seat + back * 0.62), (w, 0.07, back * 0.42), colour, rounding=0.06),
    ]
    for x in (-1, 1):
        parts.append(rod((x * (w - 0.1), w - 0.06, seat), (x * (w - 0.1), w - 0.06, seat + back), leg, colour))
        for y in (-1, 1):
            parts.append(
                rod((x * (w - 0.1), y * (w - 0.1), seat), (x * (w - 0.06), y * (w - 0.06), seat - 0.85), leg, colour)
            )
    return parts


def table(rng: Rng, main: Vector | None) -> list[Part]:
    """A thick round-cornered top on four legs."""
    colour = main or WOOD
    w, d, h = vary(rng, 0.95), vary(rng, 0.7), vary(rng, 0.8)
    parts = [box((0, 0, 0), (w, d, 0.10), colour, rounding=0.06)]
    for x in (-1, 1):
        for y in (-1, 1):
            parts.append(cylinder((x * (w - 0.15), y * (d - 0.15), -h / 2), 0.10, h / 2, colour, rounding=0.03))
    return parts


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


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind: the words it is called by (the first is canonical), its maker, the colours it takes."""

    names: tuple[str, ...]
    make: Callable[[Rng, Vector | None], list[Part]]
    colours: tuple[str, ...]


_ANY = tuple(COLOURS)
_BRIGHT = tuple(c for c in COLOURS if c not in ("black",))
KINDS: tuple[Kind, ...] = (
    Kind(names=("hamburger", "burger"), make=hamburger, colours=()),
    Kind(names=("donut", "doughnut"), make=donut, colours=tuple(c for c in COLOURS if c != "orange")),
    Kind(names=("mug", "cup"), make=mug, colours=_ANY),
    Kind(names=("chair",), make=chair, colours=_ANY),
    Kind(names=("table",), make=table, colours=_ANY),
    Kind(names=("snowman",), make=snowman, colours=("red", "green", "blue", "purple", "orange")),
    Kind(names=("rocket", "spaceship"), make=rocket, colours=_ANY),
    Kind(names=("car",), make=car, colours=_ANY),
    Kind(names=("mushroom", "toadstool"), make=mushroom, colours=_BRIGHT),
    Kind(names=("ice cream", "ice cream cone"), make=ice_cream, colours=_ANY),
    Kind(names=("house", "cottage"), make=house, colours=_ANY),
    Kind(names=("cactus",), make=cactus, colours=_ANY),
    Kind(names=("pine tree", "fir tree", "tree"), make=tree, colours=("green", "white", "blue")),
    Kind(names=("robot",), make=robot, colours=_ANY),
    Kind(names=("rubber duck", "duck"), make=duck, colours=_BRIGHT),
)


def make_object(rng: Rng, kind: Kind, colour: str | None) -> list[Part]:
    """A random instance of `kind` in the ball of radius 1.2 in the named colour, slightly varied, or its own."""
    main = None
    if colour is not None:
        shade = np.clip(np.asarray(COLOURS[colour]) * rng.uniform(0.88, 1.08) + rng.normal(0.0, 0.02, 3), 0.03, 0.98)
        main = (float(shade[0]), float(shade[1]), float(shade[2]))
    return normalised(kind.make(rng, main), half_length=float(rng.uniform(0.78, 0.88)), reach=1.2)
