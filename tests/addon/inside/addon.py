"""For scripts inside Blender: the add-on under test, by whatever name this Blender knows it, and facts to tell."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

NAME = os.environ.get("DREAMFUSION_TEST_ADDON", "")  # "dreamfusion" or "bl_ext.user_default.dreamfusion"
ROOT = Path(os.environ["DREAMFUSION_TEST_ROOT"])  # the checkout
ENGINE_PYTHON = os.environ["DREAMFUSION_TEST_PYTHON"]  # a Python that has the engine's packages


def enable() -> ModuleType:
    """Enable the add-on as the preferences do; returns its module. Raises RuntimeError."""
    import addon_utils
    import bpy

    if hasattr(addon_utils, "extensions_refresh"):
        addon_utils.extensions_refresh()
    problems: list[str] = []
    module = addon_utils.enable(NAME, default_set=True, handle_error=lambda _error: problems.append(trace()))
    if module is None or NAME not in bpy.context.preferences.addons:
        raise RuntimeError(f"The add-on {NAME} could not be enabled.\n" + "\n".join(problems))
    return module


def trace() -> str:
    """The traceback of the exception at hand."""
    import traceback

    return traceback.format_exc()


def disable() -> None:
    """Disable the add-on as the preferences do."""
    import addon_utils

    addon_utils.disable(NAME, default_set=True)


def part(name: str) -> ModuleType:
    """A module of the add-on: part("core.jobs.queue"), part("ui.run.timer")."""
    return importlib.import_module(f"{NAME}.{name}")


def preferences() -> Any:
    """The add-on's preferences."""
    import bpy

    return bpy.context.preferences.addons[NAME].preferences


def tell(**facts: Any) -> None:
    """Hand facts (JSON values) to the test: its `outcome.facts`. Later ones add to earlier ones."""
    file = Path(os.environ["DREAMFUSION_TEST_FACTS"])
    told = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.write_text(json.dumps({**told, **facts}), encoding="utf-8")
