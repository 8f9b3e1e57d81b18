"""Blender as a Python module: environments such as .venvs/bpy-4.5, each made with a Python that its wheel fits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from installer.processes import ROOT, SetupFailed, clean_variables, only_one, output_of, step
from installer.python import base_python

FOLDER = ROOT / ".venvs"
DONE = "complete"  # a file in an environment; it says which bpy is installed


@dataclass(frozen=True)
class BpyWheel:
    """One release of bpy.

    series: str, Blender's series, such as "4.5".
    version: str, the exact version.
    python: (major, minor) of the Python that it is built for.
    megabytes: int, size of the download in MB.
    """

    series: str
    version: str
    python: tuple[int, int]
    megabytes: int


WHEELS = (
    BpyWheel("4.2", "4.2.23", (3, 11), 350),
    BpyWheel("4.5", "4.5.15", (3, 11), 373),
    BpyWheel("5.0", "5.0.1", (3, 11), 374),
    BpyWheel("5.2", "5.2.3", (3, 13), 403),
)
DEMO = ("4.5", "5.2")  # the series with long-term support, for each Python


def environment_of(series: str) -> Path:
    """The folder of a series' environment."""
    return FOLDER / f"bpy-{series}"


def ready(wheel: BpyWheel) -> Path | None:
    """The interpreter of the wheel's environment if that is complete, else None."""
    folder = environment_of(wheel.series)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    try:
        told = (folder / DONE).read_text(encoding="utf-8")
    except OSError:
        return None
    return python if told == wheel.version and python.exists() else None


def make_bpy_environment(wheel: BpyWheel) -> Path:
    """Make an environment with that bpy if there is none yet. Returns its interpreter.

    wheel: BpyWheel to install.
    Raises SetupFailed.
    """
    with only_one():
        if (python := ready(wheel)) is not None:
            return python
        base = python_for(wheel)
        if base is None:
            wanted = f"{wheel.python[0]}.{wheel.python[1]}"
            what = f"bpy {wheel.version} needs Python {wanted}, and there is none here."
            raise SetupFailed(what, "A bpy wheel runs in one version of Python only.", f"Install Python {wanted}.")
        folder = environment_of(wheel.series)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        step(f"Making {folder.name}", [base, "-m", "venv", str(folder)])
        words = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
        label = f"Installing Blender {wheel.series} as a module (bpy, about {wheel.megabytes} MB)"
        step(label, [*words, "--only-binary", ":all:", f"bpy=={wheel.version}"])
        output_of([str(python), "-c", "import bpy; print(bpy.app.version_string)"])
        (folder / DONE).write_text(wheel.version, encoding="utf-8")
        return python


def fitting() -> BpyWheel | None:
    """The wheel for the demo: an installed one, else one for this Python, else one for another Python here."""
    wheels = [wheel for wheel in WHEELS if wheel.series in DEMO]
    here = [wheel for wheel in wheels if ready(wheel)]
    own = [wheel for wheel in wheels if wheel.python == sys.version_info[:2]]
    other = [wheel for wheel in wheels if python_for(wheel)]
    return next(iter(here + own + other), None)


def python_for(wheel: BpyWheel) -> str | None:
    """A Python on this machine that the wheel fits, or None."""
    return python_of_version(*wheel.python)


@cache
def python_of_version(major: int, minor: int) -> str | None:
    """An interpreter of that version: this one, one on PATH, or one of a version manager. None where there is none."""
    if sys.version_info[:2] == (major, minor):
        return base_python()
    name = f"python{major}.{minor}"
    commands = [[path] for path in [shutil.which(name)] if path]
    if os.name == "nt" and (launcher := shutil.which("py")):
        commands.append([launcher, f"-{major}.{minor}"])
    home = Path.home()
    kept = [Path(os.environ.get("PYENV_ROOT") or home / ".pyenv") / "versions" / f"{major}.{minor}.*" / "bin" / name]
    kept.append(home / ".local/share/uv/python" / f"cpython-{major}.{minor}.*" / "bin" / name)
    for pattern in kept:
        root = Path(pattern.anchor)
        commands += [[str(path)] for path in sorted(root.glob(str(pattern.relative_to(root))), reverse=True)]
    for command in commands:
        if (found := answers(command, (major, minor))) is not None:
            return found
    return None


def answers(command: list[str], version: tuple[int, int]) -> str | None:
    """The interpreter that a command starts, if it has that version and can make environments; else None."""
    code = "import sys, venv, ensurepip; print(sys.version_info[0], sys.version_info[1]); print(sys.executable)"
    try:
        done = subprocess.run(
            [*command, "-X", "utf8", "-c", code],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=30,
            env=clean_variables(),
            cwd=ROOT,  # and not where the user is, whose modules -c would import
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.splitlines()
    return lines[1] if len(lines) == 2 and lines[0] == f"{version[0]} {version[1]}" else None
