"""The environment of a Python that is not Blender's: nothing of Blender's Python leads it to other modules."""

from __future__ import annotations

from collections.abc import Mapping

# Variables that lead a Python elsewhere. Blender, and the launchers that people start it with, set some of them.
_LEADS_ASTRAY = {
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONEXECUTABLE",
    "PYTHONUSERBASE",
    "PYTHONPLATLIBDIR",
    "PYTHONINSPECT",
    "PYTHONSAFEPATH",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "__PYVENV_LAUNCHER__",
}


def clean_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the variables that lead Python elsewhere.

    base: variables to begin with.
    """
    return {name: value for name, value in base.items() if name.upper() not in _LEADS_ASTRAY}
