"""The list of a batch: a text file with a prompt a line. Bad lines are told, and the rest goes on."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import UnusablePath, given_path, shortened
from dreamfusion_engine.inputs.outside_text import shown

LIST_LIMIT = 16 << 20  # bytes of a list
MOST_PROMPTS = 20_000
_PROMPT_CODES = ("input.prompt_", "input.unknown_words")  # errors that are about a prompt, and not about the settings


@dataclass(frozen=True, kw_only=True)
class Line:
    """A prompt of the list.

    number: int, of its line, from 1.
    prompt: str.
    """

    number: int
    prompt: str


@dataclass(frozen=True, kw_only=True)
class BadLine:
    """A line that is left out.

    number: int, from 1.
    text: str, of the line, safe to show.
    why, fix: str.
    """

    number: int
    text: str
    why: str
    fix: str


def read_list(path: Path) -> tuple[list[Line], list[BadLine]]:
    """Return the prompts of a list, and the lines that are none. Blank lines and those that begin with # are skipped.

    path: Path of a text file in UTF-8, or in UTF-16 with its mark, as PowerShell writes it.
    Raises InputError input.list where it cannot be read, is too large, or has no line that is a prompt.
    """
    try:
        found = Path(given_path(path))
        if not found.is_file():
            missing = "it is no file" if found.exists() else "it is not there"
            raise UnusablePath("it is a folder" if found.is_dir() else missing)
        with found.open("rb") as stream:
            content = stream.read(LIST_LIMIT + 1)
    except (OSError, UnusablePath) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise _refusal(f"{shortened(path)}: {why}.", "Give a text file with a prompt a line.") from error
    if len(content) > LIST_LIMIT:
        raise _refusal(f"{shortened(path)} is larger than {LIST_LIMIT >> 20} MiB.", "Give a text file of prompts.")
    lines, bad, seen = [], [], dict[str, int]()
    for number, raw in enumerate(_in_utf8(content, path).splitlines(), 1):
        try:
            text = raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            bad.append(_bad(number, raw.decode("utf-8", "replace"), "It is not UTF-8.", "Save the list as UTF-8."))
            continue
        if not text or text.startswith("#"):
            continue
        if text in seen:
            bad.append(_bad(number, text, f"Line {seen[text]} says the same.", "More of one prompt: --seeds 0-3."))
            continue
        seen[text] = number
        lines.append(Line(number=number, prompt=text))
    if len(lines) > MOST_PROMPTS:
        raise _refusal(f"It has {len(lines):,} prompts, more than {MOST_PROMPTS:,}.", "Cut it into several lists.")
    if not lines and bad:
        raise _none_usable(bad)
    if not lines:
        raise _refusal(f"{shortened(path)} has no line that is a prompt.", "Give a text file with a prompt a line.")
    return lines, bad


def _in_utf8(content: bytes, path: Path) -> bytes:
    """The bytes of a list without a mark at its beginning. They end a line by any of the three ways."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            why = f"{shortened(path)} says that it is UTF-16, and is not."
            raise _refusal(why, "Save the list as UTF-8.") from error
    return content.removeprefix(codecs.BOM_UTF8)


def usable(lines: Iterable[Line], check: Callable[[str], str]) -> tuple[list[Line], list[BadLine]]:
    """Return the lines whose prompt the model can take, and the others.

    lines: Line each.
    check: returns a prompt as a run has it, and raises InputError for one that cannot be used.
    Raises what `check` raises where it is not about the prompt, and InputError input.list where no line is left.
    """
    good, bad = [], []
    for line in lines:
        try:
            good.append(Line(number=line.number, prompt=check(line.prompt)))
        except InputError as error:
            if not error.code.startswith(_PROMPT_CODES):
                raise
            bad.append(_bad(line.number, line.prompt, f"{error.what} {error.why}", error.fix))
    if not good:
        raise _none_usable(bad)
    return good, bad


def _none_usable(bad: list[BadLine]) -> InputError:
    first = bad[0]
    return _refusal(f"None of its lines can be used. Line {first.number}: {first.why}", first.fix)


def _bad(number: int, text: str, why: str, fix: str) -> BadLine:
    return BadLine(number=number, text=shown(text, 80), why=why, fix=fix)


def _refusal(why: str, fix: str) -> InputError:
    return InputError("input.list", what="The list of prompts cannot be used.", why=why, fix=fix)
