"""Which modules of a folder import which, from their relative imports. For tests that hold the layers of the add-on."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from pathlib import Path


def name_of(root: Path, path: Path) -> str:
    """'run.timer' for run/timer.py in `root`, 'run' for run/__init__.py, '' for __init__.py."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def imported(root: Path, path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of every module below `root` that the module at `path` imports relatively."""
    known = {name_of(root, module) for module in root.rglob("*.py")}
    inside = path.relative_to(root).parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert len(inside) >= node.level, f"{path.name}:{node.lineno} leaves {root.name}"
            base = ".".join([*inside[: -node.level], *([node.module] if node.module else [])])
            for one in node.names:
                name = f"{base}.{one.name}".lstrip(".")
                yield node.lineno, name if name in known else base


def check_no_circle(below: Mapping[str, Set[str]]) -> None:
    """Fail where a name comes back to itself. below: each name with those that it needs."""
    done: set[str] = set()
    while len(done) < len(below):
        ready = {name for name, names in below.items() if name not in done and names <= done}
        assert ready, f"a circle among {sorted(set(below) - done)}"
        done |= ready
