"""The interpreters of the set-up, pip, and the exact versions of packages."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from installer.processes import ENVIRONMENT, ROOT, SetupFailed, Told

CONSTRAINTS = ROOT / "constraints.txt"
OLDEST_PIP = (24, 1)  # the first that tells a listening program how far a download is (--progress-bar raw)


def environment_python() -> Path:
    """The interpreter inside the environment."""
    return ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def base_python() -> str:
    """The interpreter that makes the environment. It is never the environment's own, even if that runs this program."""
    return getattr(sys, "_base_executable", None) or sys.executable


def pinned(name: str) -> str:
    """'name==version' from the constraints.

    Raises SetupFailed where the constraints lack the name.
    """
    found = re.search(rf"^{name}==[^\s;]+", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SetupFailed("The constraints are damaged.", f"{CONSTRAINTS} does not name {name}.", "Get it again.")
    return found.group()


def module_words(python: Path, module: str) -> list[str]:
    """The words that run a module as `python -m` does, but import nothing from the folder in which they start.

    What the user's folder holds, such as a json.py, is no part of the set-up. The engine has the same for its children,
    and the add-on too (`child_process.py`, `core/engine/location.py`): none of the three can import another.

    python: Path of an interpreter.
    module: str, its dotted name.
    """
    code = (
        "import sys; sys.path[:] = [place for place in sys.path if place]; import runpy; "
        f"runpy.run_module('{module}', run_name='__main__', alter_sys=True)"
    )
    return [str(python), "-c", code]


def pip() -> list[str]:
    """The command for the environment's pip."""
    return [str(environment_python()), "-m", "pip", "--disable-pip-version-check", "--no-input"]


def pip_install() -> list[str]:
    """The command for pip install within the constraints. Wheels only, because an artist has no compiler."""
    return [*pip(), "install", *Told.teller.pip_options, "--only-binary", ":all:", "-c", str(CONSTRAINTS)]
