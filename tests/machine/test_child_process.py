"""What a child process is told, and that it ends whatever becomes of its parent: with real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dreamfusion_engine.machine.child_process import (
    ANSWER_LIMIT,
    bounded_answer,
    child_environment,
    engine_child_environment,
    import_path,
    module_words,
)

ROOT = Path(__file__).resolve().parents[2]
POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX limits and signals")
PATIENCE = 90.0


def ended(call: str, then: str) -> int:
    """The exit code of a process that calls `end_with` with these arguments and goes on so."""
    code = f"import os, ctypes\nfrom dreamfusion_engine.machine.child_process import end_with\nend_with({call})\n{then}"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=PATIENCE).returncode


@pytest.mark.parametrize(
    "name",
    ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "GITHUB_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "pgpassword"],
)
def test_nothing_that_is_named_like_a_secret_is_passed_on(name: str) -> None:
    assert child_environment({}, {name: "hf_secret", "PATH": "/bin"}) == {"PATH": "/bin"}


def test_everything_else_and_what_is_added_is_passed_on() -> None:
    environ = {"PATH": "/bin", "HF_HUB_CACHE": "/c", "LD_LIBRARY_PATH": "/l", "KEYBOARD": "de", "PYTHONPATH": "old"}
    assert child_environment({"PYTHONPATH": "new"}, environ) == {**environ, "PYTHONPATH": "new"}


def test_an_import_path_has_the_engine_first_and_no_place_that_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = os.pathsep.join(["", str(tmp_path / "a"), "", "b", str(ROOT), ""])
    assert import_path(given).split(os.pathsep) == [str(ROOT), str(tmp_path / "a"), str(tmp_path / "b")]
    assert import_path("") == str(ROOT)


@pytest.mark.parametrize("safe", ["", "1"])
def test_modules_where_a_child_starts_are_not_run(tmp_path: Path, safe: str) -> None:
    """Python 3.11 leaves the folder out by itself where PYTHONSAFEPATH is set."""
    for name in ("json", "runpy", "dreamfusion_engine"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)", encoding="utf-8")
    (tmp_path / "place").mkdir()
    told = "import json, sys; print(json.dumps([sys.argv, sys.path, __name__, __spec__.name]))"
    (tmp_path / "place" / "told.py").write_text(told, encoding="utf-8")
    environment = {**engine_child_environment(), "PYTHONSAFEPATH": safe}
    environment["PYTHONPATH"] = import_path(os.pathsep + str(tmp_path / "place"))
    words = [*module_words("told"), "a b", "-c"]
    shown = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, timeout=PATIENCE)
    assert shown.returncode == 0, shown.stderr
    argv, path, name, spec = json.loads(shown.stdout)
    assert argv == [str(tmp_path / "place" / "told.py"), "a b", "-c"]
    assert (name, spec) == ("__main__", "told") and path[0] == str(ROOT) and not {str(tmp_path), ""} & set(path)


def test_no_process_is_started_by_a_module_option() -> None:
    """`python -m` runs what lies in the current folder. Commands that people are told to type may have it."""
    told = {ROOT / "dreamfusion_engine" / "commands" / "advised_command.py"}
    for room in ("dreamfusion_engine", "blender_addon"):
        for path in set((ROOT / room).rglob("*.py")) - told:
            assert '"-m",' not in path.read_text(encoding="utf-8"), path


def test_what_other_programs_print_is_bounded_in_time_and_length() -> None:
    def answer(code: str, seconds: float = PATIENCE) -> str:
        return bounded_answer([sys.executable, "-c", code], seconds)

    assert answer("print('a card')").strip() == "a card" and bounded_answer(["no such tool"], PATIENCE) == ""
    assert answer("print('x'); raise SystemExit(9)") == "" == answer("import time; time.sleep(600)", 0.2)
    assert len(answer("while True: print('x' * 9999)")) == ANSWER_LIMIT


@POSIX
def test_a_child_ends_when_its_time_is_up_though_native_code_holds_pythons_lock() -> None:
    assert ended("os.getppid(), seconds=0.1, processor_seconds=60", "ctypes.PyDLL(None).sleep(3600)") == 1


@pytest.mark.slow
@POSIX
def test_a_child_ends_when_it_has_computed_too_long() -> None:
    assert ended("os.getppid(), seconds=3600, processor_seconds=0.5", "while True: pass") == -signal.SIGXCPU


@POSIX
def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    assert ended("os.getppid() + 1, seconds=3600, processor_seconds=60", "os._exit(0)") == 1
    assert ended("os.getppid(), seconds=3600, processor_seconds=60", "os._exit(0)") == 0
