"""The words of --set, STAGE.KEY=VALUE. Standard library only.

The engine's command line and the add-on's read them here. The add-on carries a copy, as of protocol.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any


class BadAssignment(ValueError):
    """A word that is no assignment, or one that contradicts another.

    what: what happened, one sentence.
    why: the cause, with the word.
    fix: what to do.
    """

    def __init__(self, what: str, why: str, fix: str) -> None:
        super().__init__(what, why, fix)
        self.what, self.why, self.fix = what, why, fix


def assigned(word: str, read: Callable[[str], Any] = json.loads) -> tuple[str, Any]:
    """The name and the value that a word gives.

    word: str, 'stage.key=value' or 'key=value'.
    read: gives the value of JSON, or raises ValueError; what it does not read is text.
    Raises BadAssignment for a word of another form.
    """
    name, equals, text = word.partition("=")
    name = name.strip()
    parts = name.split(".")
    if not equals or not all(parts) or len(parts) > 2:
        raise BadAssignment(
            "A --set cannot be read.",
            f"{word[:80]!r} is not of the form STAGE.KEY=VALUE.",
            "For example: --set mesh.texture=2048 --set optimize.views=4",
        )
    try:
        return name, read(text)
    except (ValueError, RecursionError):
        return name, text


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Settings nested by stage. Of two values for one name the later counts.

    pairs: dotted names and values.
    Raises BadAssignment where a name is given a value and is a group of settings as well.
    """
    settings: dict[str, Any] = {}
    for name, value in pairs:
        stage, dot, key = name.partition(".")
        if not dot:
            settings[name] = value
            continue
        group = settings.setdefault(stage, {})
        if not isinstance(group, dict):
            raise BadAssignment(
                "Two --set contradict each other.",
                f"'{stage}' is given a value of its own and is a group of settings as well.",
                "Keep one of them.",
            )
        group[key] = value
    return settings
