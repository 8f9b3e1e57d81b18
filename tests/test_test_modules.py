"""Every test module is in its place: named as the module that it is about, or saying what it is about.

Of: tests.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# A folder of tests -> the folder of the modules that they are named by, where it is not that of the engine.
MIRRORED = {
    "addon/scene": "blender_addon/ui/scene",
    "addon/window": "blender_addon/ui",
    "addon/real": "blender_addon/ui",
}
MIRRORED |= {"addon": "blender_addon", "benchmarks": "benchmarks", "training": "training"}


@pytest.mark.slow
def test_every_test_module_has_a_namesake_or_names_what_it_is_about() -> None:
    """Without a module of its name, its docstring ends in a line `Of: PATH, PATH.`, of files or folders that exist."""
    tests = ROOT / "tests"
    strays = []
    for path in sorted(tests.rglob("test_*.py")):
        folder = path.parent.relative_to(tests).as_posix()
        begins = next((name for name in MIRRORED if f"{folder}/".startswith(f"{name}/")), None)
        mirrored = f"dreamfusion_engine/{folder}" if begins is None else MIRRORED[begins] + folder[len(begins) :]
        place = ROOT / mirrored
        namesake = place / path.stem.removeprefix("test_")
        said = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()
        about = re.fullmatch(r"Of: (.+)\.", said[-1]) if said else None
        named = about is not None and all((ROOT / name).exists() for name in about[1].split(", "))
        if not (namesake.with_suffix(".py").exists() or namesake.is_dir() or named):
            strays.append(path.relative_to(ROOT).as_posix())
    assert strays == []


def test_no_folder_of_tests_is_a_package() -> None:
    """A package is imported by its own name alone, so two of one name hide each other where both are collected."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []
