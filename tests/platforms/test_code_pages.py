"""No text is written or read in the code page of the machine by accident, and none that lacks a letter ends a command.

Of: dreamfusion_engine, blender_addon, installer, install.py.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOPS = ("dreamfusion_engine", "blender_addon", "installer")
SOURCES = [ROOT / "install.py", *(path for top in TOPS for path in (ROOT / top).rglob("*.py"))]
LETTERS = "ein Käse, マグカップ, 武器"


def calls_without_encoding(tree: ast.AST) -> Iterator[int]:
    """Lines of calls that open, read or write text, or talk to a program in text, and leave the encoding open."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        given = {word.arg: word.value for word in node.keywords}
        if "encoding" in given:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if name in ("read_text", "write_text") and len(node.args) < (2 if name == "write_text" else 1):
            yield node.lineno
        if name in ("run", "Popen", "check_output") and {"text", "universal_newlines"} & set(given):
            yield node.lineno
        if name == "open" and (owner is None or not isinstance(owner, ast.Name)) or name == "fdopen":
            place = 1 if owner is None or name == "fdopen" else 0
            mode = given.get("mode") or (node.args[place] if len(node.args) > place else ast.Constant("r"))
            binary = isinstance(mode, ast.Constant) and "b" in str(mode.value)
            nowhere = bool(node.args) and isinstance(node.args[0], ast.Attribute) and node.args[0].attr == "devnull"
            if isinstance(mode, ast.Constant) and not binary and not nowhere:
                yield node.lineno


@pytest.mark.slow
def test_every_text_names_its_encoding() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in SOURCES
        for line in calls_without_encoding(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set()


@pytest.mark.parametrize(
    "line",
    ["open(p)", "open(p, 'w')", "path.read_text()", "path.write_text(t)", "run(x, text=True)", "os.fdopen(f, 'w')"],
)
def test_a_forgotten_encoding_is_found(line: str) -> None:
    assert list(calls_without_encoding(ast.parse(line))) == [1]


def said(page: str, *command: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": page, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "0"},
        capture_output=True,
        timeout=600,
    )


@pytest.mark.parametrize("page", ["cp437", "cp1252", "ascii"])
def test_a_console_that_lacks_letters_ends_no_command(tmp_path: Path, page: str) -> None:
    """A refused request shows the prompt's own folder and words; a plain one prints lists."""
    words = [
        "-m",
        "dreamfusion_engine",
        "generate",
        LETTERS,
        "--output",
        str(Path(LETTERS) / "x"),
        "--set",
        f"{LETTERS}=1",
    ]
    refused = said(page, *words, cwd=tmp_path)
    assert refused.returncode == 2 and b"Traceback" not in refused.stderr + refused.stdout
    assert b"error:" in refused.stderr
    shown = said(page, "install.py", LETTERS, cwd=ROOT)
    assert shown.returncode == 2 and b"Traceback" not in shown.stderr and b"There is no command" in shown.stderr


@pytest.mark.slow
def test_json_lines_are_the_same_on_every_console(tmp_path: Path) -> None:
    words = ["-m", "dreamfusion_engine", "generate", LETTERS, "--json", "--device", "a Käse"]
    outputs = {page: said(page, *words, cwd=tmp_path).stdout for page in ("utf-8", "cp437")}
    assert outputs["utf-8"] == outputs["cp437"]
    assert "käse" in json.loads(outputs["cp437"].splitlines()[-1])["what"]


def test_the_set_up_prints_paths_that_the_console_cannot_show(tmp_path: Path) -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import install; sys.argv[1:] = []; install.main(['--help']); "
    code += "from installer.processes import say; say(sys.executable + ' \\u6b66\\u5668')"
    shown = said("cp437", "-c", code, str(ROOT), cwd=tmp_path)
    assert shown.returncode == 0 and b"\\u6b66\\u5668" in shown.stdout
