"""The settings of a run that an agent asks for: those that it gave, and those that are arguments of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dreamfusion_engine.errors import InputError


def settings_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run that a tool was asked for, with those that are arguments of their own.

    values: arguments of the tool, checked.
    Raises InputError for a setting that is given twice.
    """
    own = {name: values[name] for name in ("model", "seed")}
    if twice := sorted(own.keys() & values["settings"].keys()):
        raise InputError(
            "input.argument",
            what="The arguments of the tool cannot be used.",
            why=f"settings has '{twice[0]}', which is an argument of its own.",
            fix=f"Give {twice[0]} beside settings.",
        )
    return _with_texture_model(values) | own


def _with_texture_model(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a tool was given, with its argument `texture_model`. Raises InputError for both at once."""
    settings, model = dict(values["settings"]), values.get("texture_model")
    stage = settings.get("texture", {})
    if model is None or not isinstance(stage, Mapping):  # which the engine refuses
        return settings
    if "model" in stage:
        raise InputError(
            "input.argument",
            what="The arguments of the tool cannot be used.",
            why="settings has 'texture.model', and texture_model is an argument of its own.",
            fix="Keep one of them.",
        )
    return {**settings, "texture": {**stage, "model": model}}
