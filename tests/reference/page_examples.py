"""The examples of docs/automation.md, as they stand there, and the command that they call."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "automation.md"


def examples() -> dict[str, str]:
    """Their code by the name that the page gives each."""
    text = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"^<!-- example: (\w+) -->\n```\w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))


def put(name: str, folder: Path, *changes: tuple[str, str]) -> Path:
    """Write an example as a file. Each change is of a text that stands there exactly once."""
    code = examples()[name]
    for before, after in changes:
        assert code.count(before) == 1, f"{name} has {before!r} {code.count(before)} times"
        code = code.replace(before, after)
    path = folder / f"{name}.txt"
    path.write_text(code, encoding="utf-8")
    return path


def on_path(folder: Path, program: str) -> dict[str, str]:
    """The environment in which `dreamfusion-engine` is this checkout's. program: what runs it, such as '-m name'."""
    there = folder / "bin"
    there.mkdir()
    command = there / "dreamfusion-engine"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" {program} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    path = os.pathsep.join([str(there), os.path.dirname(sys.executable), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
