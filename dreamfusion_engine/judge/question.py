"""What the judge is asked: the prompt's own caption among others, of which a good picture fits none as well.

The built-in judge is asked about the kinds that the starter knows. Its captions differ from the prompt's in one thing:
the kind, the colour, or that the whole has the colour of a part. Which of ten colours a part has it is not asked: of a
mug's handle it cannot tell. Any other CLIP chooses among objects of all sorts (as in Dream Fields, arXiv 2112.01455).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dreamfusion_engine.judge.faces import SIDES
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.prompt_check import unknown_words

OBJECTS = Path(__file__).with_name("objects.txt")
# Second names of the starter's kinds; its card lists the first ones.
OTHER_NAMES = {
    "burger": "hamburger",
    "doughnut": "donut",
    "ice cream cone": "ice cream",
    "muffin": "cupcake",
    "toadstool": "mushroom",
    "cup": "mug",
    "table lamp": "lamp",
    "fir tree": "pine tree",
    "tree": "pine tree",
    "spaceship": "rocket",
    "balloon": "hot air balloon",
    "duck": "rubber duck",
    "cottage": "house",
    "gift box": "gift",
    "present": "gift",
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """A choice among captions.

    captions: str each, all different; the first is the prompt's.
    shapes: str each, of pictures without colour; the first is the prompt's.
    sides: str each, of the object's front, side and back (`faces.SIDES`); none where it has no front.
    """

    captions: tuple[str, ...]
    shapes: tuple[str, ...]
    sides: tuple[str, ...] = ()


def known_question(prompt: str, card: PromptCard) -> Question | None:
    """Return the question about a prompt that names one kind of the card; None for any other prompt.

    prompt: str, the artist's words.
    card: PromptCard of the starter.
    """
    own = " ".join(re.findall(r"[a-z]+", prompt.lower()))
    named = [name for name in (*card.kinds, *OTHER_NAMES) if re.search(rf"\b{name}\b", own)]
    named = [name for name in named if not any(name != other and name in other for other in named)]  # 'tree'
    if unknown_words(prompt, card.words) or len(named) != 1 or own.count(named[0]) != 1:
        return None
    name = named[0]
    before, after = own.split(name)
    kind = OTHER_NAMES.get(name, name)
    colours = [word for word in before.split() if word in card.colours]
    others = [_caption(colours[0] if colours else "", other) for other in card.kinds if other != kind]
    for colour in colours[:1]:
        others += [_swapped(own, colour, each) for each in card.colours]
    part = next((word for word in after.split() if word in card.colours), "")
    if part:
        others.append(_caption(part, name))
    shapes = [_caption("", each) for each in (name, *card.kinds) if each != kind or each == name]
    sides = [f"{_caption('', name)}, {side} view" for side in SIDES] if card.has_front(kind) else []
    return Question(
        captions=tuple(dict.fromkeys([own, *others])), shapes=tuple(dict.fromkeys(shapes)), sides=tuple(sides)
    )


def open_question(prompt: str) -> Question:
    """Return the question about any prompt, for a judge that knows any.

    prompt: str, the artist's words.
    """
    own = " ".join(prompt.split())
    objects = [line for line in OBJECTS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    others = [each for each in objects if each.lower() != own.lower()]
    captions = tuple(dict.fromkeys([own, *others]))
    return Question(captions=captions, shapes=captions, sides=tuple(f"{side} view of {own}" for side in SIDES))


def _caption(colour: str, kind: str) -> str:
    named = f"{colour} {kind}".strip()
    return f"{'an' if named[0] in 'aeiou' else 'a'} {named}"


def _swapped(text: str, colour: str, other: str) -> str:
    """The text with another colour in the first one's place, and the article that goes with it."""
    changed = re.sub(rf"\b{colour}\b", other, text, count=1)
    return re.sub(r"^an? (?=(.))", lambda found: "an " if found[1] in "aeiou" else "a ", changed)
