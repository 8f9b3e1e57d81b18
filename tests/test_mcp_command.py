"""The command `mcp` where it cannot serve: it says what, why and what to do, and ends with 2.

Of: dreamfusion_engine/cli/mcp.py, dreamfusion_engine/agents/server.py.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from dreamfusion_engine.cli.mcp import EXTRA

ROOT = Path(__file__).resolve().parents[1]
WITHOUT = "import sys; sys.modules['mcp'] = sys.modules['mcp_types'] = None\n"
CALL = "import sys; from dreamfusion_engine.cli import main; sys.exit(main(sys.argv[1:]))"


def run(*words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    code = [sys.executable, "-c", before + CALL, "mcp", *words]
    return subprocess.run(code, cwd=ROOT, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL)


def test_without_the_sdk_the_command_says_how_to_get_it(tmp_path: Path) -> None:
    done = run("--folder", str(tmp_path / "f"), before=WITHOUT)
    said = " ".join(done.stderr.split())
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in said
    assert "why:" in said and EXTRA in said and not (tmp_path / "f").exists()


def test_what_is_said_to_be_installed_is_what_the_extra_asks_for() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (asked,) = re.findall(r'^mcp = \["(.+)"\]$', text, re.MULTILINE)
    assert asked in EXTRA and Requirement(asked).name == "mcp"
    assert asked in (ROOT / "docs" / "automation.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--folder", __file__], ["--folder", ""], ["--output-root", "x"]], ids=str)
def test_a_folder_or_an_option_that_cannot_be_is_refused(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2 and done.stdout == "" and "fix:" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_client_that_says_nothing_leaves_nothing(tmp_path: Path) -> None:
    done = run("--folder", str(tmp_path / "f"))
    assert done.returncode == 0 and done.stdout == "" and done.stderr == ""
    assert list((tmp_path / "f").iterdir()) == []
