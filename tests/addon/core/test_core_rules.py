"""What holds for every file of the core: no bpy, no package, Python 3.10, imports one way, one protocol.

Of: blender_addon/core.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from reference.import_graph import check_no_circle, imported, name_of

ROOT = Path(__file__).resolve().parents[3]
CORE = ROOT / "blender_addon" / "core"
MODULES = sorted(CORE.rglob("*.py"))
NAME = partial(name_of, CORE)

# Room -> the rooms of the core that it may import; "" is the loose modules, which every room may use.
ROOMS: dict[str, set[str]] = {"": set(), "engine": {""}, "setup": {""}, "jobs": {"", "engine"}}


def room_of(name: str) -> str:
    """'engine' for 'engine.process' and for 'engine', '' for 'blot'."""
    room = name.partition(".")[0]
    return room if room in ROOMS else ""


def imports(tree: ast.AST) -> Iterator[tuple[int, int, str]]:
    """Line, level and module of everything imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, 0, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.level, node.module or ""


@pytest.mark.parametrize("name", ["protocol.py", "bounded_json.py", "assignments.py"])
def test_the_protocol_is_the_engines_own(name: str) -> None:
    engines = ROOT / "dreamfusion_engine" / "wire" / name
    assert (CORE / name).read_bytes() == engines.read_bytes(), "run: python docs/addon_copies.py"


@pytest.mark.parametrize("path", MODULES, ids=NAME)
def test_the_core_needs_the_standard_library_only(path: Path) -> None:
    for line, level, module in imports(ast.parse(path.read_text(encoding="utf-8"))):
        assert level or module.split(".")[0] in sys.stdlib_module_names, f"{path.name}:{line}: imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=NAME)
def test_rooms_import_one_way(path: Path) -> None:
    room = room_of(name_of(CORE, path))
    for line, name in imported(CORE, path):
        assert room_of(name) in ROOMS[room] | {room}, f"{path.name}:{line}: '{room}' must not import {name}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    below = {name_of(CORE, path): {name for _, name in imported(CORE, path)} for path in MODULES}
    check_no_circle(below)


@pytest.mark.parametrize("path", MODULES, ids=NAME)
def test_the_core_is_python_3_10(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))


def test_the_core_loads_without_blender() -> None:
    inner = [name_of(CORE, path) for path in MODULES if path.stem not in ("__init__", "windows_job")]
    names = [f"blender_addon.core.{name}" for name in inner]
    code = f"import sys, importlib; [importlib.import_module(n) for n in {names!r}]; print('bpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, cwd=ROOT)
    assert run.stdout == "False\n", run.stderr
