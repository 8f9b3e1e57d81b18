"""The list of kinds: names, maker, colours and named part of each, and how an instance is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from training.starter.objects import buildings, characters, food, furniture, nature, props, vehicles
from training.starter.objects.palette import COLOURS, Rng, shade_of
from training.starter.primitives import CHECKS, DOTS, PLAIN, STRIPES, Part, Vector, normalised

PATTERNS: dict[str, int] = {"stripes": STRIPES, "dots": DOTS, "checks": CHECKS}
PATTERN_COLOURS = ("white", "yellow", "black", "pink")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of object.

    names: words that it is called by; the first is canonical.
    make: its maker, from (rng, main colour, colour of the named part) to Parts.
    colours: names that its main colour may have.
    part: str, how captions name the part with a second colour, '{}' for the colour; '' without such a part.
    patterned: bool, whether its main colour may carry stripes, dots or checks.
    front: bool, whether it looks different from the front, the side and the back.
    """

    names: tuple[str, ...]
    make: Callable[[Rng, Vector | None, Vector | None], list[Part]]
    colours: tuple[str, ...] = ()
    part: str = ""
    patterned: bool = False
    front: bool = False


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """What a caption can say of an instance.

    colour: str, name of the main colour; None for the natural one.
    part: str, name of the named part's colour; None for the natural one.
    pattern: str, a name of PATTERNS, which needs a colour; None without.
    pattern_colour: str, name of the pattern's colour; None without.
    """

    colour: str | None = None
    part: str | None = None
    pattern: str | None = None
    pattern_colour: str | None = None


_ANY = tuple(COLOURS)


def _but(*left_out: str) -> tuple[str, ...]:
    return tuple(c for c in COLOURS if c not in left_out)


KINDS: tuple[Kind, ...] = (
    Kind(names=("hamburger", "burger"), make=food.hamburger),
    Kind(names=("donut", "doughnut"), make=food.donut, colours=_but("orange"), part="with {} sprinkles"),
    Kind(names=("ice cream", "ice cream cone"), make=food.ice_cream, colours=_ANY),
    Kind(names=("cupcake", "muffin"), make=food.cupcake, colours=_ANY, part="in a {} wrapper"),
    Kind(names=("apple",), make=food.apple, colours=("red", "green", "yellow")),
    Kind(names=("carrot",), make=food.carrot),
    Kind(names=("cake", "birthday cake"), make=food.cake, colours=_ANY, part="with {} candles"),
    Kind(names=("pineapple",), make=food.pineapple),
    Kind(names=("pumpkin",), make=food.pumpkin, colours=("orange", "white", "green"), front=True),
    Kind(names=("mushroom", "toadstool"), make=food.mushroom, colours=_but("black"), part="with {} spots"),
    Kind(names=("mug", "cup"), make=furniture.mug, colours=_ANY, part="with a {} handle", patterned=True, front=True),
    Kind(names=("teapot",), make=furniture.teapot, colours=_ANY, part="with a {} lid", patterned=True, front=True),
    Kind(names=("chair",), make=furniture.chair, colours=_ANY, part="with a {} seat", front=True),
    Kind(names=("table",), make=furniture.table, colours=_ANY, part="with {} legs"),
    Kind(
        names=("sofa", "couch"), make=furniture.sofa, colours=_ANY, part="with {} cushions", patterned=True, front=True
    ),
    Kind(names=("bed",), make=furniture.bed, colours=_ANY, part="with {} pillows", patterned=True, front=True),
    Kind(names=("lamp", "table lamp"), make=furniture.lamp, colours=_ANY, part="with a {} foot", patterned=True),
    Kind(names=("cactus",), make=nature.cactus, part="in a {} pot"),
    Kind(names=("pine tree", "fir tree", "tree"), make=nature.pine_tree, colours=("green", "white", "blue")),
    Kind(names=("palm tree", "palm"), make=nature.palm_tree),
    Kind(names=("flower",), make=nature.flower, colours=_but("green"), part="in a {} pot", front=True),
    Kind(
        names=("rocket", "spaceship"),
        make=vehicles.rocket,
        colours=_ANY,
        part="with {} fins",
        patterned=True,
        front=True,
    ),
    Kind(names=("car",), make=vehicles.car, colours=_ANY, part="with a {} roof", front=True),
    Kind(names=("truck", "lorry"), make=vehicles.truck, colours=_ANY, part="with a {} box", front=True),
    Kind(names=("bus",), make=vehicles.bus, colours=_ANY, part="with a {} roof", front=True),
    Kind(names=("train", "locomotive"), make=vehicles.train, colours=_ANY, part="with {} wheels", front=True),
    Kind(names=("airplane", "plane"), make=vehicles.airplane, colours=_ANY, part="with {} wings", front=True),
    Kind(names=("sailboat", "boat"), make=vehicles.sailboat, colours=_ANY, part="with {} sails"),
    Kind(
        names=("hot air balloon", "balloon"),
        make=vehicles.balloon,
        colours=_ANY,
        part="with a {} basket",
        patterned=True,
    ),
    Kind(names=("snowman",), make=characters.snowman, part="wearing a {} hat", front=True),
    Kind(names=("robot",), make=characters.robot, colours=_ANY, part="with a {} head", front=True),
    Kind(
        names=("rubber duck", "duck"),
        make=characters.duck,
        colours=_but("black", "orange"),
        part="with a {} bill",
        front=True,
    ),
    Kind(names=("penguin",), make=characters.penguin, part="wearing a {} scarf", front=True),
    Kind(names=("teddy bear", "bear"), make=characters.teddy_bear, colours=_ANY, part="wearing a {} bow", front=True),
    Kind(
        names=("cat", "kitten"),
        make=characters.cat,
        colours=("orange", "white", "black", "brown"),
        part="wearing a {} collar",
        front=True,
    ),
    Kind(names=("pig", "piglet"), make=characters.pig, front=True),
    Kind(names=("house", "cottage"), make=buildings.house, colours=_ANY, part="with a {} roof", front=True),
    Kind(names=("castle",), make=buildings.castle, colours=_ANY, part="with {} roofs", front=True),
    Kind(names=("lighthouse",), make=buildings.lighthouse, colours=_ANY, part="with a {} roof", patterned=True),
    Kind(names=("windmill", "mill"), make=buildings.windmill, colours=_ANY, part="with {} sails", front=True),
    Kind(names=("tent",), make=buildings.tent, colours=_ANY, part="with a {} door", patterned=True, front=True),
    Kind(names=("crown",), make=props.crown, colours=_ANY, part="with {} jewels"),
    Kind(names=("treasure chest", "chest"), make=props.chest, colours=_ANY, part="with a {} lid", front=True),
    Kind(names=("gift", "gift box", "present"), make=props.gift, colours=_ANY, part="with a {} ribbon", patterned=True),
    Kind(names=("wizard hat", "hat"), make=props.wizard_hat, colours=_ANY, part="with a {} band", patterned=True),
    Kind(names=("barrel",), make=props.barrel, colours=_ANY, part="with {} hoops"),
)


def kind_named(name: str) -> Kind:
    """The kind that is called `name` by any of its names. Raises KeyError."""
    for kind in KINDS:
        if name in kind.names:
            return kind
    raise KeyError(name)


# What the model that comes with the engine knows, and the small ones beside it.
STARTER_KINDS = (
    "hamburger,donut,ice cream,cupcake,apple,carrot,pineapple,pumpkin,mushroom,mug,chair,table,lamp,cactus,pine tree,"
    "rocket,car,hot air balloon,snowman,robot,rubber duck,penguin,house,gift"
)


def kinds_named(names: str) -> tuple[Kind, ...]:
    """The kinds in a list of names with commas between; all of them for ''. Raises KeyError."""
    return tuple(kind_named(name.strip()) for name in names.split(",")) if names else KINDS


def random_appearance(rng: Rng, kind: Kind, parts: float = 0.0) -> Appearance:
    """Colours and pattern for an instance: each named at times, never one that cannot be told from its neighbour.

    rng: Rng.
    kind: Kind of the instance.
    parts: float in [0, 1], how often the named part has a colour of its own; 0: as often as the starter sees it.
    """
    colour = str(rng.choice(kind.colours)) if kind.colours and rng.random() < 0.7 else None
    part = pattern = pattern_colour = None
    if kind.part and rng.random() < (parts or (0.25 if kind.colours else 0.6)):
        part = str(rng.choice([c for c in COLOURS if c != colour]))
    if kind.patterned and colour is not None and rng.random() < 0.2:
        pattern = str(rng.choice(list(PATTERNS)))
        pattern_colour = str(rng.choice([c for c in PATTERN_COLOURS if c != colour]))
    return Appearance(colour=colour, part=part, pattern=pattern, pattern_colour=pattern_colour)


def make_object(rng: Rng, kind: Kind, appearance: Appearance) -> list[Part]:
    """A random instance in the ball of radius 1.2; sizes and shades vary.

    rng: Rng.
    kind: Kind of the instance.
    appearance: Appearance that it has.
    """
    main = shade_of(rng, appearance.colour) if appearance.colour else None
    parts = kind.make(rng, main, shade_of(rng, appearance.part) if appearance.part else None)
    if appearance.pattern and appearance.pattern_colour:
        second = shade_of(rng, appearance.pattern_colour)
        pattern = PATTERNS.get(appearance.pattern, PLAIN)
        parts = [replace(p, pattern=pattern, second=second) if p.colour == main else p for p in parts]
    return normalised(parts, half_length=float(rng.uniform(0.78, 0.88)), reach=1.2)
