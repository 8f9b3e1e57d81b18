"""A command as a person can paste it: quoted for the shell of this system.

On Windows nobody can tell whether cmd or PowerShell will read it. So a line is made that means the same in both, and
where there is none, one for each. Sources: Microsoft's pages on CommandLineToArgvW and PowerShell's on quoting
and parsing (about_Quoting_Rules, about_Parsing).
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence

# Words that no shell of Windows reads as more than letters. "," and "@" are operators in PowerShell, "&" in both.
_PLAIN = re.compile(r"[\w./\\:=+-]+")
# PowerShell cuts an unquoted word that begins as an option at these.
_CUT = re.compile(r"-.*[.:]")
_EXPANDED = re.compile('["$`\u201c\u201d\u201e]')  # what PowerShell does not take as it is inside double quotes


def shell_line(words: Sequence[str], *, before: str = "", windows: bool | None = None) -> str:
    """Return a command as one would type it; on Windows two lines where cmd and PowerShell need different ones.

    words: of the command, or those after `before`.
    before: str, the beginning, quoted already; '' where the first word is the program.
    windows: bool, whether Windows's shells read it; None for this system.
    """
    if not (sys.platform == "win32" if windows is None else windows):
        return " ".join(filter(None, [before, shlex.join(words)]))
    both = " ".join(filter(None, [before, *map(_quoted, words)]))
    plain_program = bool(before) or not words or bool(_PLAIN.fullmatch(words[0]))
    if plain_program and not any(map(_EXPANDED.search, words)):
        return both
    call = [] if plain_program else ["&"]  # without it PowerShell takes a quoted program for a text
    power = " ".join([*filter(None, [before]), *call, *map(_single_quoted, words)])
    return f"{both}\n  in PowerShell: {power}"


def _quoted(word: str) -> str:
    """In double quotes by the rules of CommandLineToArgvW, unless it is plain."""
    if _PLAIN.fullmatch(word) and not _CUT.match(word):
        return word
    # subprocess.list2cmdline quotes words with a blank alone, and cmd would read the "&" of others as its own.
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', word)
    return '"' + re.sub(r"(\\+)$", r"\1\1", escaped) + '"'


def _single_quoted(word: str) -> str:
    """In PowerShell's single quotes, in which nothing is expanded; a quote in it is doubled."""
    if _PLAIN.fullmatch(word) and not _CUT.match(word):
        return word
    return "'" + re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", word) + "'"
