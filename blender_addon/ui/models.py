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
    names = [(str(card["name"]), _label(card), _description(card), _icon(card)) for card in known()]
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


def is_file(model: str) -> bool:
    """Whether a model is a single file, which a base completes."""
    return model.lower().endswith(".safetensors")


def base_of(model: str) -> str:
    """The base that the preferences name for a single file, '' for the engine's own choice."""
    named = (entry.base.strip() for entry in preferences.of().models if entry.path == model and is_file(model))
    return next(named, "")


FIT_ICONS = {"fits": "CHECKMARK", "tight": "ERROR", "too large": "CANCEL"}
FIT_WORDS = {"fits": "fits", "tight": "just fits", "too large": "too large for this machine"}


def size_text(card: dict[str, Any]) -> str:
    """A model's size on disk, '' where the engine does not say."""
    size = card.get("size_mb")
    if not isinstance(size, int) or size <= 0:
        return ""
    return f"{size / 1000:.1f} GB" if size >= 1000 else f"{size} MB"


def need_text(card: dict[str, Any]) -> str:
    """The memory that a run takes and whether it is there: '11.6 GiB, fits'."""
    need = card.get("memory_mib")
    if not isinstance(need, int) or need <= 0:
        return ""
    fit = FIT_WORDS.get(str(card.get("fit")), "")
    return f"{need / 1024:.1f} GiB" + (f", {fit}" if fit else "")


def _label(card: dict[str, Any]) -> str:
    name = str(card["name"])
    if name == STARTER:
        return "Starter (Built In)"
    size = size_text(card)
    return str(card.get("title") or name) + (f" ({size})" if size else "")


def _description(card: dict[str, Any]) -> str:
    if str(card["name"]) == STARTER:
        return "Comes with the engine"
    need = need_text(card)
    return f"{card['name']}, downloaded" + (f". A run takes {need}" if need else "")


def _icon(card: dict[str, Any]) -> str:
    return "MESH_MONKEY" if str(card["name"]) == STARTER else FIT_ICONS.get(str(card.get("fit")), "FILE_3D")
