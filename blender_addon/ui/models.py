"""The models that the sidebar offers: the engine's own, and the folders named in the preferences."""

from __future__ import annotations

from typing import Any

from bpy.types import Context

from . import preferences, session

STARTER = "starter"
# Blender keeps no copy of the texts of a computed list: without this reference it would show freed memory.
_items: list[tuple[str, str, str, str, int]] = []


def known() -> list[dict[str, Any]]:
    """What the engine last said about its models; the starter model alone before it has spoken."""
    return session.current().models or [{"name": STARTER}]


def items(settings: Any, _context: Context | None) -> list[tuple[str, str, str, str, int]]:
    """The list of models: (name, label, description, icon, number). The chosen one is in it even if it is missing."""
    names = [(str(card["name"]), _label(str(card["name"])), "Comes with the engine", "MESH_MONKEY") for card in known()]
    names += [(model.path, model.name, model.path, "FILE_FOLDER") for model in preferences.of().models if model.path]
    if settings is not None and settings.model not in {name for name, _, _, _ in names}:
        names.append((settings.model, settings.model, "Not among the known models of the preferences", "QUESTION"))
    fresh = [(*entry, number) for number, entry in enumerate(dict.fromkeys(names))]
    if fresh != _items:  # an open menu may still point into the old texts
        _items[:] = fresh
    return _items


def chosen(settings: Any) -> int:
    """The number of the settings' model in the list."""
    return next((item[4] for item in items(settings, None) if item[0] == settings.model), 0)


def choose(settings: Any, number: int) -> None:
    """Set the settings' model to the one with this number in the list."""
    settings.model = next((item[0] for item in items(settings, None) if item[4] == number), STARTER)


def _label(name: str) -> str:
    return "Starter (Built In)" if name == STARTER else name
