"""Prompt suggestions from what a model knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .phrase import phrase

LIMIT = 12
_VOWELS = "aeiou"


def suggestions(text: str, models: Sequence[dict[str, Any]] | None, model: str, limit: int = LIMIT) -> list[str]:
    """Prompts that begin like `text`, then ones that contain its words; the model's examples when `text` is empty.

    text: str, what was typed so far.
    models: the engine's model list, None while it is not known.
    model: str, the chosen model's name.
    limit: int, the largest number of prompts.
    """
    card = _card(models, model)
    if card is None:
        return []
    typed = " ".join(text.lower().split())
    known = list(dict.fromkeys(_prompts(card)))
    if not typed:
        return known[:limit]
    bare = typed.removeprefix("an ").removeprefix("a ").strip()
    if typed in ("a", "an") or not bare:
        return [prompt for prompt in known if prompt.startswith(typed + " ")][:limit]
    whole = [prompt for prompt in known if prompt.partition(" ")[2].startswith(bare)]
    words = bare.split()
    # Every word that was typed begins a word of the prompt: "bl ch" finds "a blue chair".
    parts = [p for p in known if all(any(w.startswith(word) for w in p.split()) for word in words)]
    found = [prompt for prompt in dict.fromkeys([*whole, *parts]) if prompt != typed]
    return found[:limit]


def knowledge(models: Sequence[dict[str, Any]] | None, model: str) -> str:
    """One sentence on what the model knows, for a hint in the panel.

    models: the engine's model list, None while it is not known.
    model: str, the chosen model's name.
    Returns '' when the model takes any prompt or is not known.
    """
    card = _card(models, model)
    kinds = _texts(card, "kinds")
    if card is None or not card.get("closed_vocabulary") or not kinds:
        return ""
    return phrase("This model knows {count} kinds of things: {kinds}", count=len(kinds), kinds=", ".join(kinds))


def _card(models: Sequence[dict[str, Any]] | None, model: str) -> dict[str, Any] | None:
    return next((card for card in models or [] if card.get("name") == model), None)


def _texts(card: dict[str, Any] | None, name: str) -> list[str]:
    values = (card or {}).get(name)
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _prompts(card: dict[str, Any]) -> Iterator[str]:
    """What the model does best first, then every kind, then every kind in every colour."""
    yield from _texts(card, "examples")
    kinds = _texts(card, "kinds")
    yield from map(_with_article, kinds)
    for kind in kinds:
        for colour in _texts(card, "colours"):
            yield _with_article(f"{colour} {kind}")


def _with_article(words: str) -> str:
    return f"{'an' if words[:1] in _VOWELS else 'a'} {words}"
