"""The models that the sidebar offers: the engine's own, and the folders named in the preferences."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.types import Context

from ...core import model_card
from ...core.declared_settings import ENGINE
from ...core.job import Trouble
from ...core.model_card import FIELD
from ...core.phrase import phrase, phrases
from ..translation import translated
from . import engine_report, preferences

STARTER = "starter"
# Blender keeps no copy of the texts of a computed list: without this reference it would show freed memory.
_items: list[tuple[str, str, str, str, int]] = []
_texture_items: list[tuple[str, str, str, str, int]] = []


def known() -> list[dict[str, Any]]:
    """What the engine last said about its models; the starter model alone before it has spoken."""
    lines = [line for line in engine_report.models() or () if isinstance(line.get("name"), str)]
    return lines or [{"name": STARTER}]


def told() -> list[dict[str, Any]]:
    """The lines of `known`, and the engine's lines on folders and files that it was asked about."""
    return known() + [line for line in engine_report.given() if isinstance(line.get("name"), str)]


def card(model: str) -> dict[str, Any] | None:
    """The engine's line on a model, None where it has said none."""
    return next((line for line in told() if line["name"] == model), None)


def to_ask() -> list[tuple[str, str]]:
    """Models that the engine describes only when asked by path, with their bases; the chosen ones come first."""
    listed = {line["name"] for line in known()}
    chosen = [scene.dreamfusion.model for scene in bpy.data.scenes]
    chosen += [scene.dreamfusion.texture_model for scene in bpy.data.scenes]
    mine = [model.path for model in preferences.of().models]
    return [(model, base_of(model)) for model in dict.fromkeys([*chosen, *mine]) if model and model not in listed]


def is_untold(model: str) -> bool:
    """Whether the engine has said nothing about a model, and was not yet started to say it."""
    return card(model) is None and model not in engine_report.puzzled()


def asks_poses(model: str) -> bool:
    """Whether a model is told poses of which nobody but the artist can say what they mean."""
    line = card(model)
    return model_card.is_told_poses(line) and not model_card.known_poses(line)


def method(settings: Any) -> str:
    """What the settings' model makes the next object with: the chosen method where it has that, else a field.

    settings: `scene.dreamfusion`.
    """
    return str(settings.method) if settings.task == "OBJECT" and settings.method in methods(settings) else FIELD


def methods(settings: Any) -> tuple[str, ...]:
    """The methods of the settings' model. While the engine has said nothing of it, the chosen one may be one of them.

    settings: `scene.dreamfusion`.
    """
    line = card(settings.model)
    if line is None:
        return tuple(dict.fromkeys((FIELD, str(settings.method))))
    return tuple(name for name in model_card.methods(line) if name in ENGINE.stages[""]["method"].words)


def idle(settings: Any) -> frozenset[str]:
    """Stages, and settings by dotted name, that do nothing for the next object.

    settings: `scene.dreamfusion`.
    """
    return model_card.idle(card(settings.model), method(settings))


def counting(settings: Any, overrides: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The overrides without those of `idle`.

    settings: `scene.dreamfusion`.
    overrides: nested by stage.
    """
    without = idle(settings)
    kept = {
        stage: {key: value for key, value in group.items() if not {stage, f"{stage}.{key}"} & without}
        for stage, group in overrides.items()
    }
    return {stage: group for stage, group in kept.items() if group}


def trouble(line: dict[str, Any] | None) -> Trouble | None:
    """Why a run cannot use the model; None where it can, or where nothing is known.

    line: the engine's line on the model, or None.
    """
    if line is None or line.get("state") != "broken" or not isinstance(line.get("trouble"), dict):
        return None
    return Trouble.from_json(line["trouble"])


def items(settings: Any, _context: Context | None) -> list[tuple[str, str, str, str, int]]:
    """The list of models: (name, label, description, icon, number). It holds the chosen one even if that is missing."""
    names = [(line["name"], _label(line), _description(line), _icon(line)) for line in known()]
    names += [
        (model.path, _with(model.name, [experimental_text(card(model.path))]), model.path, "FILE_FOLDER")
        for model in preferences.of().models
        if model.path
    ]
    if settings is not None and settings.model not in {name for name, _, _, _ in names}:
        unknown = translated("Not among the known models of the preferences")
        names.append((settings.model, settings.model, unknown, "QUESTION"))
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


def texture_items(settings: Any, context: Context | None) -> list[tuple[str, str, str, str, int]]:
    """The list of texture models: none, and all of `items` but those that are told a picture and read no words."""
    none = ("NONE", translated("Same Model"), translated("The texture is that of the model above"), "REMOVE", 0)
    fresh = [none]
    for name, label, description, icon, _ in items(settings, context):
        if not model_card.is_told_picture(card(name)) or (settings is not None and name == settings.texture_model):
            fresh.append((name, label, description, icon, len(fresh)))
    if settings is not None and settings.texture_model not in {"", *(item[0] for item in fresh[1:])}:
        unknown = translated("Not among the known models of the preferences")
        fresh.append((settings.texture_model, settings.texture_model, unknown, "QUESTION", len(fresh)))
    if fresh != _texture_items:
        _texture_items[:] = fresh
    return _texture_items


def texture_chosen(settings: Any) -> int:
    """The number of the settings' texture model in the list."""
    if not settings.texture_model:
        return 0
    return next((item[4] for item in texture_items(settings, None)[1:] if item[0] == settings.texture_model), 0)


def choose_texture(settings: Any, number: int) -> None:
    """Set the settings' texture model to the one with this number in the list; 0: none."""
    found = [item[0] for item in texture_items(settings, None)[1:] if item[4] == number]
    settings.texture_model = found[0] if found else ""


def is_file(model: str) -> bool:
    """Whether a model is a single file, which needs the parts of a base."""
    return model.lower().endswith(".safetensors")


def base_of(model: str) -> str:
    """The base that the preferences name for a single file, '' for the engine's own choice."""
    named = (entry.base.strip() for entry in preferences.of().models if entry.path == model and is_file(model))
    return next(named, "")


FIT_ICONS = {"fits": "CHECKMARK", "tight": "ERROR", "too large": "CANCEL"}
FIT_WORDS = phrases({"fits": "fits", "tight": "just fits", "too large": "too large for this machine"})


def experimental_text(line: dict[str, Any] | None) -> str:
    """'experimental' if the model's recipe is; else ''."""
    return phrase("experimental") if model_card.is_experimental(line) else ""


def size_text(line: dict[str, Any]) -> str:
    """A model's size on disk, '' where the engine does not say."""
    size = line.get("size_mb")
    if not isinstance(size, int) or size <= 0:
        return ""
    return f"{size / 1000:.1f} GB" if size >= 1000 else f"{size} MB"


def need_text(line: dict[str, Any]) -> str:
    """The memory that a run takes, and whether the machine has it: '11.6 GiB, fits'."""
    need = line.get("memory_mib")
    if not isinstance(need, int) or need <= 0:
        return ""
    fit = FIT_WORDS.get(str(line.get("fit")), "")
    return phrase("{need}, {fit}", need=f"{need / 1024:.1f} GiB", fit=fit) if fit else f"{need / 1024:.1f} GiB"


def _label(line: dict[str, Any]) -> str:
    name = str(line["name"])
    if name == STARTER:
        return translated("Starter (Built In)")
    return _with(str(line.get("title") or name), [size_text(line), experimental_text(line)])


def _with(name: str, facts: list[str]) -> str:
    """A name with facts in brackets; '' are left out."""
    said = ", ".join(translated(fact) for fact in facts if fact)
    return f"{name} ({said})" if said else name


def _description(line: dict[str, Any]) -> str:
    if str(line["name"]) == STARTER:
        return translated("Comes with the engine")
    need = need_text(line)
    parts: list[str] = [phrase("{model}, downloaded", model=line["name"])]
    if need:
        parts.append(phrase("A run takes {need}", need=need))
    if model_card.is_experimental(line):
        parts.append(phrase("As a teacher it is experimental: no settings are known to make objects reliably"))
    return ". ".join(map(translated, parts))


def _icon(line: dict[str, Any]) -> str:
    return "MESH_MONKEY" if str(line["name"]) == STARTER else FIT_ICONS.get(str(line.get("fit")), "FILE_3D")
