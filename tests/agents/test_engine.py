"""The engine's process of an agent's server: where it starts. What it says is in test_hostile.py and test_tools.py."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from dreamfusion_engine.agents import engine

# In place of `-m dreamfusion_engine`, which looks for modules in the same places; its last argument is the folder.
IMPORTS = "import json, os, sys; open(sys.argv[-1] + '/seen.txt', 'w').write(repr((os.listdir(), os.getcwd())))"


def test_modules_that_lie_in_the_allowed_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(9)\n")
    monkeypatch.setattr(engine, "PROGRAM", (sys.executable, "-c", IMPORTS))
    ended, codes = threading.Event(), list[int]()

    def hear(message: dict[str, Any], _data: bytes) -> None:
        if message["type"] == "gone":
            codes.append(message["code"])
            ended.set()

    engine.Engine(tmp_path, hear)
    assert ended.wait(600.0) and codes == [0]
    there, place = eval((tmp_path / "seen.txt").read_text())
    assert there == [] and not Path(place).exists(), "an empty folder, which is taken away again"
