"""Tokens are blotted out of whatever is written or shown: the account's own, and all that look like one of a hub."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

BLOT = "(hidden)"
_SHORTEST = 6  # characters of a secret; a shorter one would blot out half of the words
_DEPTH = 64  # of lists and objects in each other; no message has more than ten
# Tokens of the model hub, and what follows the word of an HTTP header.
_LOOKS = (
    r"\bhf_(?:oauth_)?[A-Za-z0-9]{16,}(?:[._-][A-Za-z0-9_-]+)*|\bapi_org_[A-Za-z0-9]{16,}|(?<=\bBearer )[\w.~+/=-]{8,}"
)


class Blot:
    """What is never to be read, as a filter for texts."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        """secrets: texts; those of fewer than six characters are no secrets."""
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
        """Bytes, in UTF-8 or nearly, without tokens."""
        return self._bytes.sub(BLOT.encode("ascii"), line)

    def value(self, value: Any, depth: int = _DEPTH) -> Any:
        """What json.loads gave, without tokens in its texts; None where it is nested too deeply."""
        if isinstance(value, str):
            return self.text(value)
        if not isinstance(value, dict | list):
            return value
        if depth == 0:
            return None
        if isinstance(value, list):
            return [self.value(item, depth - 1) for item in value]
        return {self.text(str(key)): self.value(item, depth - 1) for key, item in value.items()}
