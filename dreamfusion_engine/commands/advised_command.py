"""The command that a person is advised to type next: the same one again, or the one that goes on with a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from dreamfusion_engine.commands.shell_line import shell_line

# How the program was called, when a wrapper such as install.py called it: shown in the advice to resume.
CALLED_AS = "DREAMFUSION_CALLED_AS"


def resume_command(arguments: Sequence[str]) -> str:
    """Return the command that continues this run, as the user would type it."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)  # after it a word is no option
    options, words = arguments[:end], arguments[end:]
    return again_command([*options, *([] if "--resume" in options else ["--resume"]), *words])


def again_command(arguments: Sequence[str]) -> str:
    """Return these arguments as the user would type them, after the program's name as it was called.

    On Windows these are two lines where cmd and PowerShell need different ones.
    """
    called_as = os.environ.get(CALLED_AS)
    program = [] if called_as else [sys.executable, "-m", "dreamfusion_engine"]
    words = [*program, *arguments[1 if called_as else 0 :]]
    return shell_line(words, before=called_as or "")
