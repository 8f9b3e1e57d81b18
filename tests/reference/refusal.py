"""What a command says that is refused: on one screen, with nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


def refusal(ask: Callable[[], int], capsys: pytest.CaptureFixture[str]) -> str:
    """Return what, why and fix on one line, after checks of the exit code and of the folder.

    ask: runs the command in this process and the present folder; returns its exit code.
    """
    before = list(Path.cwd().rglob("*"))
    assert ask() == 2
    out, err = capsys.readouterr()
    assert out == "" and "why:" in err and "fix:" in err and "Traceback" not in err
    assert len(err.splitlines()) < 20 and list(Path.cwd().rglob("*")) == before
    return " ".join(err.split())
