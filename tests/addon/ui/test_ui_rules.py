"""What holds for every file of the ui: rooms import one way, at the top of a file, and in no circle.

Of: blender_addon/ui.
"""

from __future__ import annotations

import ast
from functools import partial
from pathlib import Path

import pytest
from reference.import_graph import check_no_circle, imported, name_of

ADDON = Path(__file__).resolve().parents[3] / "blender_addon"
UI = ADDON / "ui"
MODULES = sorted(UI.rglob("*.py"))
NAME = partial(name_of, ADDON)

# Room -> the rooms of the ui that it may import. All may import the core.
ROOMS: dict[str, set[str]] = {
    "damaged": set(),
    "translation": set(),
    "keymap": set(),
    "manual": set(),
    "settings": set(),
    "scene": set(),
    "run": {"settings", "scene"},
    "operators": {"settings", "scene", "run"},
    "panels": {"settings", "scene", "run", "operators", "keymap"},
    "tools": {"settings", "scene", "run", "operators", "panels"},
    "registration": {"settings", "scene", "run", "operators", "panels", "tools", "keymap", "manual"},
}


def room_of(name: str) -> str:
    """'run' for 'ui.run.timer', 'registration' for 'ui.registration', '' for 'ui' itself and for the core."""
    words = name.split(".")
    return words[1] if words[0] == "ui" and len(words) > 1 else ""


@pytest.mark.parametrize("path", MODULES, ids=NAME)
def test_rooms_import_one_way(path: Path) -> None:
    room = room_of(name_of(ADDON, path))
    assert room == "" or room in ROOMS, f"'{room}' is new: give it a place in the table of {Path(__file__).name}"
    for line, name in imported(ADDON, path):
        allowed = ROOMS.get(room, set()) | {room, "", "translation"}
        assert room_of(name) in allowed, f"{path.name}:{line}: '{room}' must not import {name}"


@pytest.mark.slow
def test_no_module_imports_itself_by_way_of_others() -> None:
    below = {
        name_of(ADDON, path): {name for _, name in imported(ADDON, path) if name.startswith("ui.")} for path in MODULES
    }
    check_no_circle(below)


@pytest.mark.parametrize("path", MODULES, ids=NAME)
def test_modules_of_the_addon_are_imported_at_the_top(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    outer = [node.lineno for node in tree.body if isinstance(node, ast.ImportFrom) and node.level]
    assert inner == outer, f"{path.name}: an import inside a function hides a circle"
