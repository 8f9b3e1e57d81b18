"""Lists of prompts: read with a reason for every line that is left out, or made from what a model knows."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dreamfusion_engine.inputs.visible_text import visible
from training.starter.captions import describe
from training.starter.objects.kinds import KINDS, PATTERN_COLOURS, PATTERNS, Appearance, Kind
from training.starter.objects.palette import COLOURS


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A prompt whose true object is known: `text` asks for a `kind` that looks like `appearance`."""

    text: str
    kind: Kind
    appearance: Appearance


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A line that is not used.

    line: int, its number from 1 on.
    text: str, the line.
    why: str, the reason.
    """

    line: int
    text: str
    why: str


@cache
def described() -> dict[str, tuple[Kind, Appearance]]:
    """Every plain description of everything in the corpus, in lower case, with what it describes."""
    known = {}
    patterns = [(None, None), *itertools.product(PATTERNS, PATTERN_COLOURS)]
    for kind in KINDS:
        for name, colour in itertools.product(kind.names, (None, *kind.colours)):
            for part in (None, *COLOURS) if kind.part else (None,):
                for pattern, pattern_colour in patterns if kind.patterned and colour else patterns[:1]:
                    appearance = Appearance(colour=colour, part=part, pattern=pattern, pattern_colour=pattern_colour)
                    known[describe(kind, appearance, name=name)] = (kind, appearance)
    return known


@cache
def corpus_words() -> frozenset[str]:
    """Every word of `described`."""
    return frozenset(word for text in described() for word in text.split())


def prompt_file(word: str) -> Path:
    """The file of an option `--prompts`.

    word: str, as typed.
    Raises argparse.ArgumentTypeError where it is no file.
    """
    path = Path(word)
    if not path.is_file():
        raise argparse.ArgumentTypeError(
            f"{word!r} is no file: give one with a prompt a line, as benchmarks/prompts has"
        )
    return path


def read_prompts(lines: Sequence[str], kinds: Sequence[str]) -> tuple[list[Prompt], list[LeftOut]]:
    """The prompts of a list, in order, and the lines that are left out.

    lines: of the file; those that begin with '#' are comments and are not reported.
    kinds: first names of what the model knows.
    """
    prompts: dict[str, Prompt] = {}
    left_out = []
    for number, line in enumerate(lines, 1):
        text = " ".join(visible(line).lower().split())
        if text.startswith("#"):
            continue
        why = ""
        if not text:
            why = "it is empty"
        elif text in prompts:
            why = "it stands further up already"
        elif text not in described():
            unknown = [word for word in text.split() if word not in corpus_words()]
            why = f"the corpus has no {', '.join(map(repr, unknown))}" if unknown else "the corpus has nothing like it"
            why += "; a prompt reads 'a red mug' or 'a red mug with a blue handle'"
        else:
            kind, appearance = described()[text]
            if kind.names[0] in kinds:
                prompts[text] = Prompt(text=text, kind=kind, appearance=appearance)
            else:
                why = f"the model was not taught '{kind.names[0]}'"
        if why:
            left_out.append(LeftOut(line=number, text=line.strip(), why=why))
    return list(prompts.values()), left_out


def full_list(kinds: Sequence[Kind] = KINDS) -> list[Prompt]:
    """Every kind in two of its colours, far apart in its list of colours. A kind without colours comes once."""
    prompts = []
    for i, kind in enumerate(kinds):
        count = len(kind.colours)
        chosen = [kind.colours[i % count], kind.colours[(i + max(1, count // 2)) % count]] if count else [None]
        for colour in chosen:
            appearance = Appearance(colour=colour)
            prompts.append(Prompt(text=describe(kind, appearance), kind=kind, appearance=appearance))
    return prompts
