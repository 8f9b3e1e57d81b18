"""File names from typed text. Every file system takes them, and they cannot lead out of their folder."""

from __future__ import annotations

import re
import unicodedata

LIMIT = 55  # bytes; Blender before 5.0 keeps 63 of a name, and appends .001 to one that is taken
_SEPARATORS = re.compile(r' ?(?:[\\/:*?"<>|#%$\[\]{}] ?)+')
# What Windows takes for a device, with any extension (Microsoft, "Naming Files, Paths, and Namespaces").
_DEVICES = re.compile(r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³])", re.IGNORECASE)
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control and format characters, halves of pairs, breaks of lines
_NOT_FIRST = " .-~"  # hides a file, or reads as an option or as a home folder
_NOT_LAST = " ."  # Windows drops them


def file_name(text: str, limit: int = LIMIT, *, instead: str = "Object") -> str:
    """The text as the name of a file, without an extension.

    text: str, what the artist typed.
    limit: int, bytes of UTF-8, at least 8.
    instead: str, the name where nothing is left of the text.
    """
    visible = "".join(letter for letter in unicodedata.normalize("NFC", text) if not _is_unseen(letter))
    words = _SEPARATORS.sub("-", " ".join(visible.split()))
    name = within(words.rstrip(" -").lstrip(_NOT_FIRST), limit - 1).rstrip(_NOT_LAST) or instead
    stem, dot, rest = name.partition(".")
    return f"{stem.rstrip()}_{dot}{rest}" if _DEVICES.fullmatch(stem.rstrip()) else name


def within(text: str, limit: int) -> str:
    """The beginning of the text that fits into `limit` bytes of UTF-8."""
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def _is_unseen(letter: str) -> bool:
    """Whether a character is invisible and has no place in a name. Blanks and tabs do not count as invisible."""
    return not letter.isspace() and unicodedata.category(letter) in _UNSEEN
