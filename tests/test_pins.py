"""What is pinned is what is asked for and what is here; the set-up names no host, and CI asks for nothing else.

Of: constraints.txt, pyproject.toml, install.py, installer.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TAKEN = ("install.py", "constraints.txt", "pyproject.toml")


def test_every_dependency_is_pinned_once_for_every_python() -> None:
    """A name without a condition stands once; with conditions, exactly one of them holds for each Python."""
    from packaging.requirements import Requirement

    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    for name in {pin.name for pin in pins}:
        for version in ("3.10", "3.11", "3.12", "3.13"):
            environment = {"python_version": version, "python_full_version": f"{version}.0"}
            held = [p for p in pins if p.name == name and (p.marker is None or p.marker.evaluate(environment))]
            assert len(held) == 1, f"{name} on Python {version}: {list(map(str, held))}"
            assert str(held[0].specifier).startswith("=="), name


def test_the_constraints_cover_what_the_project_asks_for() -> None:
    from packaging.requirements import Requirement

    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    asked = [Requirement(word) for word in re.findall(r'"([a-z-]+>=[^"]+)"', text)]
    assert len(asked) >= 10
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    for need in asked:
        exact = [str(pin.specifier)[2:] for pin in pins if pin.name == need.name]
        assert exact, f"{need.name} is not in constraints.txt"
        for version in exact:
            assert need.specifier.contains(version), f"{need} does not allow the pinned {version}"


def test_what_is_installed_here_is_what_is_pinned() -> None:
    import importlib.metadata

    from packaging.requirements import Requirement
    from packaging.version import Version

    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    here = {pin.name: pin for pin in pins if pin.marker is None or pin.marker.evaluate()}
    for name in ("torch", "diffusers", "transformers", "warp-lang", "numpy", "scikit-image", "scipy", "xatlas"):
        installed = Version(importlib.metadata.version(name)).public
        assert here[name].specifier.contains(installed), f"{name} {installed}, pinned {here[name].specifier}"


def test_no_file_of_the_set_up_names_a_registry_host() -> None:
    for path in [ROOT / name for name in TAKEN] + sorted((ROOT / "installer").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://|index-url|pypi\.|\.org\b", text), path


def test_ci_runs_exactly_the_test_command() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "install.py" in line] == ["exec python3 install.py test"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK) or os.name == "nt"


def test_an_old_python_is_told_before_anything_it_cannot_read() -> None:
    """The guard stands before every other import and before any annotation that an older Python would evaluate."""
    text = (ROOT / "install.py").read_text(encoding="utf-8")
    guard = text.index("if sys.version_info < (3, 10)")
    before = io.StringIO(text[:guard])
    assert [line.strip() for line in before if line.startswith(("import", "from"))] == ["import sys"]
