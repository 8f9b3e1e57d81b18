"""Hides tokens in everything that is written or shown: the account's own, and whatever looks like a hub's token."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

BLOT = "(hidden)"
_SHORTEST = 6  # characters; a shorter secret would hide parts of ordinary words
_DEPTH = 64  # levels of nested lists and objects; no message has more than ten
# Tokens of the model hub, and whatever follows "Bearer" in an HTTP header.
_LOOKS = (
    r"\bhf_(?:oauth_)?[A-Za-z0-9]{16,}(?:[._-][A-Za-z0-9_-]+)*|\bapi_org_[A-Za-z0-9]{16,}|(?<=\bBearer )[\w.~+/=-]{8,}"
)


class Blot:
    """A filter that takes secrets out of texts."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        """secrets: texts to hide. Texts of fewer than six characters are ignored."""
        exact = [
            re.escape(secret) for secret in sorted(set(secrets), key=len, reverse=True) if len(secret) >= _SHORTEST
        ]
        pattern = "|".join([*exact, _LOOKS])
        self._text = re.compile(pattern)
        self._bytes = re.compile(pattern.encode("utf-8"))

    def text(self, text: str) -> str:
        """The text without tokens."""
        return self._text.sub(BLOT, text)

    def line(self, line: bytes) -> bytes:
        """The bytes without tokens. Bytes that are not valid UTF-8 may be among them."""
        return self._bytes.sub(BLOT.encode("ascii"), line)

    def value(self, value: Any, depth: int = _DEPTH) -> Any:
        """A value from json.loads without tokens in its texts.

        value: any JSON.
        depth: int, levels of nesting that are kept; deeper values become None.
        """
        if isinstance(value, str):
            return self.text(value)
        if not isinstance(value, dict | list):
            return value
        if depth == 0:
            return None
        if isinstance(value, list):
            return [self.value(item, depth - 1) for item in value]
        return {self.text(str(key)): self.value(item, depth - 1) for key, item in value.items()}
