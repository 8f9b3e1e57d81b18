"""What the engine has said of itself: its models and its devices.

The session hears it. Menus and settings read it here, and registration connects the two. So a menu can be imported
without a session, and a session can import the preferences, which hold the menu.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Source(Protocol):
    """What is known of the engine.

    models: its lines on its models; None while it has never spoken.
    given: its lines on models that it was asked about by path.
    devices: its report; empty while it has never spoken.
    puzzled: names of models for which an engine was started, to ask it.
    """

    @property
    def models(self) -> list[dict[str, Any]] | None: ...
    @property
    def given(self) -> list[dict[str, Any]]: ...
    @property
    def devices(self) -> dict[str, Any]: ...
    @property
    def puzzled(self) -> set[str]: ...


_begin: Callable[[], Source] | None = None
_begun: Callable[[], bool] | None = None


def connect(begin: Callable[[], Source] | None, begun: Callable[[], bool] | None) -> None:
    """Set where this module reads.

    begin: gives the source, and makes it at the first call.
    begun: whether there is a source already.
    """
    global _begin, _begun
    _begin, _begun = begin, begun


def models() -> list[dict[str, Any]] | None:
    """The engine's lines on its models, None while it has never spoken."""
    return _begin().models if _begin is not None else None


def given() -> list[dict[str, Any]]:
    """The engine's lines on folders and files that it was asked about."""
    return _begin().given if _begin is not None else []


def puzzled() -> set[str]:
    """Models for which an engine was started, to ask it."""
    return _begin().puzzled if _begin is not None else set()


def devices() -> dict[str, Any]:
    """The engine's report on its devices; empty while it has never spoken, or while there is no source yet."""
    return _begin().devices if _begin is not None and _begun is not None and _begun() else {}
