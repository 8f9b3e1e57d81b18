"""Prompt suggestions from what a model knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def suggestions(text: str, models: Sequence[dict[str, Any]] | None, model: str, limit: int = 12) -> list[str]:
    """Prompts that begin like `text` or contain its words, best first; examples when it is empty.

    models: the engine's model list, None while it is not known. model: the chosen one's name. limit: most of them.
    """
    raise NotImplementedError


def knowledge(models: Sequence[dict[str, Any]] | None, model: str) -> str:
    """One sentence on what the model knows, for a hint in the panel; '' when it takes any prompt or is not known."""
    raise NotImplementedError
