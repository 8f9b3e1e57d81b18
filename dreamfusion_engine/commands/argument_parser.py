"""argparse in the engine's own form: errors that guess what was meant, and options that need more than a value."""

from __future__ import annotations

import argparse
import shlex
from typing import Any, NoReturn

from dreamfusion_engine.config.presets import nearest
from dreamfusion_engine.errors import InputError

COMMANDS = (  # of the program, in the order of its help
    "generate",
    "texture",
    "refine",
    "batch",
    "settings",
    "models",
    "download",
    "doctor",
    "messages",
    "serve",
    "mcp",
)


class Parser(argparse.ArgumentParser):
    """argparse, with errors in the engine's own form and no guessing at abbreviations."""

    dashed = ""  # a word that may have been meant as the prompt, and was read as an option
    before_prompt: tuple[str, ...] = ()  # what a command takes before it

    def error(self, message: str) -> NoReturn:
        known = [*COMMANDS, *options_of(self)]
        wrong = [word.strip(",:'\"") for word in message.split()]
        wrong = [word for word in wrong if word not in known and (word.startswith("-") or len(word) > 4)]
        close = (nearest(word, known) for word in wrong)
        guess = next((word for word in close if word), None)
        unread = self.dashed and ("PROMPT" in message or "explicit argument" in message)
        raise InputError(
            "input.command",
            what="The command line cannot be read.",
            why=message[0].upper() + message[1:] + ".",
            fix=(self._after_dashes() if unread else f"Did you mean {guess}? " if guess else "")
            + f"See: {self.prog} --help",
        )

    def _after_dashes(self) -> str:
        words = shlex.join(["--", *self.before_prompt, self.dashed])
        return f"A prompt that begins with a dash goes after the options and two dashes: {self.prog} {words}. "


class Picture(argparse.Action):
    """Notes a picture, with no mask."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        namespace.images = [*namespace.images, (values, "")]


class Mask(argparse.Action):
    """Gives the last picture its mask."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        if not namespace.images or namespace.images[-1][1]:
            raise InputError(
                "input.mask",
                what="A mask has no picture.",
                why="Each --mask belongs to the --image before it, and a picture has one mask.",
                fix="For example: --image chair.png@front --mask chair-mask.png",
            )
        *before, (image, _) = namespace.images
        namespace.images = [*before, (image, values)]


def filled(word: str) -> str:
    """Return the word of an option that would be left out unseen if it were empty, as a variable of a shell may be.

    word: str, as typed.
    Raises argparse.ArgumentTypeError for blanks.
    """
    if not word.strip():
        raise argparse.ArgumentTypeError("nothing was given")
    return word


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    """Return every option of a parser and of the commands below it.

    parser: argparse.ArgumentParser, with all its options added.
    """
    found: list[str] = []
    for action in parser._actions:
        found += action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                found += options_of(below)
    return found
