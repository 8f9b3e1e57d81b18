"""The list of kinds: names, maker and colours of each, and how an instance is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dreamfusion_engine.starter.objects.characters import duck, robot, snowman
from dreamfusion_engine.starter.objects.food import donut, hamburger, ice_cream
from dreamfusion_engine.starter.objects.household import chair, mug, table
from dreamfusion_engine.starter.objects.outdoors import cactus, house, mushroom, tree
from dreamfusion_engine.starter.objects.palette import COLOURS, Rng
from dreamfusion_engine.starter.objects.vehicles import car, rocket
from dreamfusion_engine.starter.primitives import Part, Vector, normalised


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
