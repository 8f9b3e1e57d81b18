"""Fixtures: a checkout that nobody has set up, its installer, and a recorder of the commands that it would run."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("install", "installer")
TAKEN = ("install.py", "constraints.txt", "pyproject.toml")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the files that the set-up needs, with no environment."""
    folder = tmp_path / "a checkout"  # with a blank, as on many machines
    folder.mkdir()
    for name in TAKEN:
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "installer", folder / "installer", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def installer(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """installer.environment of the checkout, imported afresh; its commands are recorded, not run."""
    ours = {name: module for name, module in sys.modules.items() if name.split(".")[0] in OURS}
    for name in ours:
        del sys.modules[name]
    monkeypatch.syspath_prepend(str(checkout))
    yield importlib.import_module("installer.environment")
    for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
        del sys.modules[name]
    sys.modules.update(ours)


class Recorder:
    """Stands where commands are run: notes them, makes what they would leave behind, and fails on request."""

    def __init__(self, environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: list[str] = []
        self.fail_at = ""
        self.report: dict[str, Any] = {"install": [{"metadata": {"version": "2.13.0+cpu"}}]}
        self.failed = sys.modules["installer.processes"].SetupFailed
        torch_build = sys.modules["installer.torch_build"]
        for module in (environment, torch_build):
            monkeypatch.setattr(module, "step", self.step)
            monkeypatch.setattr(module, "output_of", self.output_of)
        monkeypatch.setattr(sys.modules["installer.graphics"], "found_cards", list)
        self.python = environment.environment_python()

    def step(self, label: str, command: list[str]) -> None:
        self.commands.append(" ".join(map(str, command)))
        if self.fail_at and self.fail_at in self.commands[-1]:
            raise self.failed("It broke.", label, "Try again.")
        if "-m venv" in self.commands[-1]:
            self.python.parent.mkdir(parents=True)
            self.python.write_text("", encoding="utf-8")

    def output_of(self, command: list[str]) -> str:
        text = " ".join(map(str, command))
        if "--report" in text:
            return json.dumps(self.report)
        return "pip 26.2 from somewhere" if "--version" in text else "2.13.0+cpu\n"


@pytest.fixture
def recorder(installer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(installer, monkeypatch)
