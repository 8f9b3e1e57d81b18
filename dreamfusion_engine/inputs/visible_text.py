"""Text without what nobody sees: byte-order marks, zero-width blanks, soft hyphens, direction marks.

They come with what is pasted from web pages and documents, and make a word another one to a tokenizer. Standard library
only: the add-on carries a copy of this file.
"""

from __future__ import annotations

import re
import unicodedata

# Default_Ignorable_Code_Point of Unicode (DerivedCoreProperties.txt), and the marks of interlinear annotations.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_NON_JOINER, _JOINER = "\u200c", "\u200d"
_VIRAMA = 9  # combining class
_FIRST_JOINING = "\u0590"  # Latin, Greek, Cyrillic and Armenian come before it, and need no joiners
_FLAG, _KEYCAP = "\U0001f3f4", "\u20e3"


def visible(text: str) -> str:
    """`text` without invisible characters; those stay that change how a script or an emoji is written.

    Those are: joiners after a virama and inside words of joining scripts (RFC 5892, A.1 and A.2) and between emoji,
    variation selectors after what has variants, the tags of a flag.
    """
    kept: list[str] = []
    for position, letter in enumerate(text):
        if not _INVISIBLE.match(letter) or _needed(letter, kept[-1] if kept else "", text[position + 1 : position + 2]):
            kept.append(letter)
    return "".join(kept)


def _needed(letter: str, before: str, after: str) -> bool:
    """Whether an invisible letter changes how its neighbours are written. before, after: '' at an end."""
    if letter in (_NON_JOINER, _JOINER):
        if before and unicodedata.combining(before) == _VIRAMA:
            return True
        return (_joins(before) and _joins(after)) or (letter == _JOINER and _emoji(before) and _emoji(after))
    if "\ufe00" <= letter <= "\ufe0f":
        return after == _KEYCAP or before > "\x7f" and not _INVISIBLE.match(before)
    if "\u180b" <= letter <= "\u180d" or "\U000e0100" <= letter <= "\U000e01ef":  # of Mongolian letters, of ideographs
        return _joins(before)
    if "\U000e0020" <= letter <= "\U000e007f":
        return before == _FLAG or "\U000e0020" <= before <= "\U000e007e"
    return False


def _joins(letter: str) -> bool:
    return letter >= _FIRST_JOINING and unicodedata.category(letter)[0] in "LM" and not _INVISIBLE.match(letter)


def _emoji(letter: str) -> bool:
    return letter == "\ufe0f" or letter > "\x7f" and unicodedata.category(letter) in ("So", "Sk")
