"""What holds for every file of the core: no bpy, no package, Python 3.10, imports one way, one protocol.

Of: blender_addon/core.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CORE = ROOT / "blender_addon" / "core"
MODULES = sorted(CORE.glob("*.py"))

# Module -> the modules of the core that it may import.
TABLE: dict[str, set[str]] = {
    "__init__": set(),
    "bounded_json": set(),
    "protocol": {"bounded_json"},
    "job": set(),
    "writer": set(),
    "file_lock": set(),
    "engine_log": {"blot"},
    "windows_job": set(),
    "command_line": set(),
    "visible_text": set(),
    "suggestions": set(),
    "model_card": set(),
    "adapters": set(),
    "adapter_file": set(),
    "interpreters": set(),
    "process_group": {"windows_job"},
    "byte_source": {"protocol"},
    "inbox": {"protocol"},
    "payload": {"picture", "protocol"},
    "blot": set(),
    "file_name": set(),
    "picture": set(),
    "sound_message": {"blot", "protocol"},
    "endings": {"job"},
    "change": {"job"},
    "wire_reader": {"byte_source", "endings", "engine_log", "inbox", "job", "payload", "protocol", "sound_message"},
    "connection": {"byte_source", "endings", "engine_log", "inbox", "job", "process_group", "protocol", "wire_reader"},
    "location": {"blot", "command_line", "connection", "endings", "job"},
    "setup_child": {"interpreters"},
    "engine_setup": {"interpreters", "job", "setup_child"},
    "probe": {"connection", "endings", "job", "location"},
    "job_folder": {"bounded_json", "job"},
    "journal": {"bounded_json", "file_lock", "job", "job_folder", "writer"},
    "estimates": {"bounded_json", "job", "job_folder", "model_card", "writer"},
    "engine_host": {"connection", "endings", "job", "protocol"},
    "conversation": {"change", "engine_host", "job", "job_folder", "journal", "protocol", "writer"},
    "store_watch": {"change", "job", "job_folder", "journal", "writer"},
    "engine_deaths": {"conversation", "job"},
    "model_download": {"change", "engine_host", "job"},
    "queue": {
        "change",
        "connection",
        "conversation",
        "engine_deaths",
        "engine_host",
        "job",
        "journal",
        "model_download",
        "sound_message",
        "store_watch",
    },
}


def imports(tree: ast.AST) -> Iterator[tuple[int, int, str]]:
    """Line, level and module of everything imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, 0, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.level, node.module or ""


@pytest.mark.parametrize("name", ["protocol.py", "bounded_json.py"])
def test_the_protocol_is_the_engines_own(name: str) -> None:
    engines = ROOT / "dreamfusion_engine" / name
    assert (CORE / name).read_bytes() == engines.read_bytes(), f"copy {engines} over it"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_core_needs_the_standard_library_only_and_imports_one_way(path: Path) -> None:
    assert path.stem in TABLE, f"'{path.stem}' is new: give it a place in the table of {Path(__file__).name}"
    for line, level, module in imports(ast.parse(path.read_text(encoding="utf-8"))):
        if level:
            assert level == 1 and module in TABLE[path.stem], f"{path.name}:{line}: must not import {module}"
        else:
            assert module.split(".")[0] in sys.stdlib_module_names, f"{path.name}:{line}: imports {module}"


def test_the_table_has_no_circles() -> None:
    done: set[str] = set()
    while len(done) < len(TABLE):
        ready = {name for name, below in TABLE.items() if name not in done and below <= done}
        assert ready, f"a circle among {set(TABLE) - done}"
        done |= ready


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_core_is_python_3_10(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))


def test_the_core_loads_without_blender() -> None:
    names = [f"blender_addon.core.{path.stem}" for path in MODULES if path.stem not in ("__init__", "windows_job")]
    code = f"import sys, importlib; [importlib.import_module(n) for n in {names!r}]; print('bpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, cwd=ROOT)
    assert run.stdout == "False\n", run.stderr
