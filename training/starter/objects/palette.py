"""Named colours, materials and variation that the objects share."""

from __future__ import annotations

import numpy as np

from training.starter.primitives import Vector

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
LEAF: Vector = (0.24, 0.62, 0.24)


def vary(rng: Rng, value: float, share: float = 0.12) -> float:
    """`value` times a uniform factor in [1 - share, 1 + share].

    rng: Rng.
    value: float, any unit.
    share: float in [0, 1].
    """
    return float(value * rng.uniform(1.0 - share, 1.0 + share))


def shade_of(rng: Rng, name: str) -> Vector:
    """The named colour, slightly lighter or darker and tinted: sRGB in [0.03, 0.98].

    rng: Rng.
    name: str, of COLOURS.
    """
    shade = np.clip(np.asarray(COLOURS[name]) * rng.uniform(0.88, 1.08) + rng.normal(0.0, 0.02, 3), 0.03, 0.98)
    return (float(shade[0]), float(shade[1]), float(shade[2]))
