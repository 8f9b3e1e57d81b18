"""What holds for every file of the ui: rooms import one way, at the top of a file, and in no circle.

Of: blender_addon/ui.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ADDON = Path(__file__).resolve().parents[3] / "blender_addon"
UI = ADDON / "ui"
MODULES = sorted(UI.rglob("*.py"))

# Room -> the rooms of the ui that it may import. All may import the core.
ROOMS: dict[str, set[str]] = {
    "settings": set(),
    "scene": set(),
    "run": {"settings", "scene"},
    "operators": {"settings", "scene", "run"},
    "panels": {"settings", "scene", "run", "operators"},
    "tools": {"settings", "scene", "run", "operators", "panels"},
    "registration": {"settings", "scene", "run", "operators", "panels", "tools"},
}


def name_of(path: Path) -> str:
    """'ui.run.timer' for ui/run/timer.py, 'ui.run' for ui/run/__init__.py."""
    return ".".join(path.relative_to(ADDON).with_suffix("").parts).removesuffix(".__init__")


def room_of(name: str) -> str:
    """'run' for 'ui.run.timer', 'registration' for 'ui.registration', '' for 'ui' itself and for the core."""
    words = name.split(".")
    return words[1] if words[0] == "ui" and len(words) > 1 else ""


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of every module of the ui that a module imports."""
    known = {name_of(module) for module in MODULES}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = path.relative_to(ADDON).parts[: -node.level]
            base = ".".join([*above, *([node.module] if node.module else [])])
            for one in node.names:
                name = f"{base}.{one.name}"
                yield node.lineno, name if name in known else base


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_rooms_import_one_way(path: Path) -> None:
    room = room_of(name_of(path))
    assert room == "" or room in ROOMS, f"'{room}' is new: give it a place in the table of {Path(__file__).name}"
    for line, name in imported(path):
        allowed = ROOMS.get(room, set()) | {room, ""}
        assert room_of(name) in allowed, f"{path.name}:{line}: '{room}' must not import {name}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    below = {name_of(path): {name for _, name in imported(path) if name.startswith("ui.")} for path in MODULES}
    done: set[str] = set()
    while len(done) < len(below):
        ready = {name for name, names in below.items() if name not in done and names <= done | {"ui"}}
        assert ready, f"a circle among {sorted(set(below) - done)}"
        done |= ready


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_of_the_addon_are_imported_at_the_top(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    outer = [node.lineno for node in tree.body if isinstance(node, ast.ImportFrom) and node.level]
    assert inner == outer, f"{path.name}: an import inside a function hides a circle"
