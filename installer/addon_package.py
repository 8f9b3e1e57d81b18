"""The add-on as one zip: blender_addon/, the manual, and in `engine` all that Install Engine needs but the packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from installer.environment import fingerprint, read_stamp
from installer.manual_pages import write_pages
from installer.processes import ROOT, SetupFailed, clean_variables, explained, say
from installer.python import CONSTRAINTS, base_python, environment_python, pinned

ADDON = ROOT / "blender_addon"
FOLDER = "dreamfusion"  # the only folder in the zip; Blender 3.4 names the add-on by it, and extensions may have one
MANUAL = "manual"  # folder of the zip with the pages of docs/ that F1 leads to
PACKED = "engine"  # folder of the zip with what Install Engine needs; a checkout may have one left over
CHILD_NEEDS = (
    "__init__.py",
    "addon_child.py",
    "environment.py",
    "graphics.py",
    "machine.py",
    "processes.py",
    "python.py",
    "telling.py",
    "torch_build.py",
    "torch_choice.py",
)
MOMENT = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip; a fixed one, so that the same content gives the same file
EPOCH = "315532800"  # the same moment, for the wheel


def version() -> str:
    """The project's version, from the engine's __init__.py."""
    return found_in(ROOT / "dreamfusion_engine" / "__init__.py", r'^__version__ = "([^"]+)"')


def found_in(path: Path, pattern: str) -> str:
    """The first group of a pattern in a text file.

    path: Path of the file.
    pattern: str, a regular expression.
    Raises SetupFailed where nothing matches.
    """
    found = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SetupFailed("The checkout is damaged.", f"{path} does not say {pattern}.", "Get it again.")
    return found[1]


def build_addon(target: Path | None = None) -> Path:
    """Build the zip and return its path.

    target: Path of the zip; None for dist/dreamfusion-VERSION.zip.
    Raises SetupFailed.
    """
    path = target or ROOT / "dist" / f"dreamfusion-{version()}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    with tempfile.TemporaryDirectory(prefix="dreamfusion-wheel-") as folder:
        wheel = build_wheel(Path(folder))
        with zipfile.ZipFile(draft, "w") as archive:
            pages = Path(folder) / MANUAL
            pages.mkdir()
            manual = [(f"{MANUAL}/{page.name}", page) for page in write_pages(pages)]
            for name, file in sorted([*contents(wheel), *manual]):
                compression = zipfile.ZIP_STORED if file.suffix == ".whl" else zipfile.ZIP_DEFLATED
                entry = zipfile.ZipInfo(f"{FOLDER}/{name}", MOMENT)
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, file.read_bytes(), compress_type=compression)
    os.replace(draft, path)
    return path


def contents(wheel: Path) -> Iterator[tuple[str, Path]]:
    """The name in the add-on's folder, and the file, of everything that goes into the zip.

    wheel: Path of the engine's wheel.
    """
    for file in ADDON.rglob("*"):
        inside = file.relative_to(ADDON)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
        if file.is_file() and not hidden and inside.parts[0] != PACKED and file.suffix != ".pyc":
            yield inside.as_posix(), file
    yield "LICENSE", ROOT / "LICENSE"
    yield f"{PACKED}/constraints.txt", CONSTRAINTS
    yield f"{PACKED}/{wheel.name}", wheel
    for name in CHILD_NEEDS:
        yield f"{PACKED}/installer/{name}", ROOT / "installer" / name


def build_wheel(folder: Path) -> Path:
    """Build the engine's wheel from a copy, so that nothing left in the checkout gets into it.

    folder: Path of an empty folder to build in.
    Raises SetupFailed.
    """
    source, out = folder / "source", folder / "out"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
    shutil.copytree(ROOT / "dreamfusion_engine", source / "dreamfusion_engine", ignore=ignored)
    for path in source.rglob("*"):  # a wheel keeps permissions, and must not depend on those of the checkout
        path.chmod(0o755 if path.is_dir() else 0o644)
    command = [*pip_for_building(folder), "wheel", "--no-deps", "--no-build-isolation", "-w", str(out), str(source)]
    quietly("Building the engine's wheel", command, {"SOURCE_DATE_EPOCH": EPOCH})
    found = list(out.glob("*.whl"))
    if len(found) != 1:
        raise SetupFailed("The engine's wheel was not built.", f"pip left {len(found)} wheels.", "Try again.")
    return found[0]


def pip_for_building(folder: Path) -> list[str]:
    """A pip with setuptools beside it: the environment's own if that is ready, else one made in `folder`."""
    stamp = read_stamp() or {}
    ready = (
        stamp.get("complete") is True and stamp.get("fingerprint") == fingerprint() and environment_python().exists()
    )
    python = environment_python()
    if not ready:
        quietly("Making a place to build in", [base_python(), "-m", "venv", str(folder / "build")])
        python = folder / "build" / environment_python().relative_to(environment_python().parent.parent)
        tool = [str(python), "-m", "pip", "install", "-q", "-c", str(CONSTRAINTS), pinned("setuptools")]
        quietly("Getting setuptools", tool)
    return [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input"]


def quietly(label: str, command: list[str], variables: dict[str, str] | None = None) -> None:
    """Run a command that takes seconds, and show its output only if it fails.

    label: str, what the command does, for the user.
    command: words.
    variables: environment variables to add, or None.
    Raises SetupFailed.
    """
    say(f"{label} ...")
    environment = {**clean_variables(), **(variables or {})}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, cwd=ROOT)
    if done.returncode != 0:
        raise explained(label, (done.stdout + done.stderr).decode("utf-8", "replace"))
