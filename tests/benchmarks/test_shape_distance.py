"""Programs that compare shapes, in an environment without the packages of the tests.

Of: benchmarks/shared/shape_distance.py.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from installer.processes import ROOT

WITHOUT = """
import sys
sys.modules["trimesh"] = None  # as where it is not installed
import benchmarks.shared.shape_distance
"""


@pytest.mark.slow
def test_a_program_that_compares_shapes_says_how_to_install_what_it_lacks() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "trimesh" in done.stderr
    assert "install.py test" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_page_names_every_program_that_needs_the_packages_of_the_tests() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    said = page[: page.index("compare shapes by trimesh")]
    folder = ROOT / "benchmarks"
    shared = ("shared.shape_distance", "shared.graded_run")
    needing = [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*.py"))
        if path.parent.name != "shared" and any(name in path.read_text(encoding="utf-8") for name in shared)
    ]
    assert needing
    assert [name for name in needing if f"`{name}`" not in said] == []
