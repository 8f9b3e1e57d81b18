"""Make text from outside, such as a name in a foreign file, safe to show: bounded, without terminal codes."""

from __future__ import annotations

import re

# Control characters, half characters, and what is invisible or turns the direction of writing; joiners stay, which
# scripts and emoji need.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_BLANKS = str.maketrans(dict.fromkeys("\t\n\v\f\r", " "))


def shown(text: str, longest: int = 200) -> str:
    r"""`text` as one line, cut after `longest` characters; what cannot be seen in it as \xNN or \uNNNN.

    text: str.
    longest: int, characters.
    """
    cut = text[:longest].translate(_BLANKS)
    return _UNSHOWN.sub(_escaped, cut) + ("..." if len(text) > longest else "")


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def first_line(text: str, limit: int = 300) -> str:
    """Return the first line of another library's error, for people; at most `limit` characters of it.

    text: str.
    limit: int, characters.
    """
    lines = text.strip().splitlines()
    line = lines[0] if lines else "no further words"
    return line if len(line) <= limit else line[:limit] + "..."
