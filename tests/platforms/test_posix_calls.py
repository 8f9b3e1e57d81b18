"""Every call that one system alone has stands in docs/platform_check.md, with its branch and its test.

Of: docs/platform_check.md, dreamfusion_engine, blender_addon, installer.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "platform_check.md"
TOPS = ("dreamfusion_engine", "blender_addon", "installer")
MODULES = {"fcntl", "grp", "msvcrt", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty", "winreg"}
OF_OS = {
    *("fork", "getegid", "geteuid", "getgid", "getloadavg", "getpgid", "getppid", "getuid", "kill", "killpg", "link"),
    *("mkfifo", "nice", "O_BINARY", "O_NOFOLLOW", "readlink", "sched_getaffinity", "setpgid", "setsid", "startfile"),
    *("statvfs", "symlink", "sysconf", "umask", "uname", "wait4"),
}
OF_SIGNAL = {
    *("alarm", "CTRL_BREAK_EVENT", "pthread_sigmask", "setitimer", "SIGALRM", "SIGBREAK", "SIGCHLD", "SIGHUP"),
    *("SIGKILL", "SIGPIPE", "SIGUSR1", "SIGUSR2"),
}
OF_CTYPES = {"WinDLL", "WinError"}
OF_PATH = {"symlink_to", "hardlink_to"}
WORDS = {"creationflags", "pass_fds", "preexec_fn", "process_group", "start_new_session"}


def calls_of(path: Path) -> set[str]:
    """The names of one system alone that a file uses."""
    found = set()
    owned = {"os": OF_OS, "signal": OF_SIGNAL, "ctypes": OF_CTYPES}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & MODULES
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found |= {node.attr} & (owned.get(node.value.id, set()) | OF_PATH)
        elif isinstance(node, ast.Attribute):
            found |= {node.attr} & OF_PATH
        elif isinstance(node, ast.keyword) and node.arg in WORDS:
            found.add(node.arg)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr" and len(node.args) > 1:
            word = node.args[1].value if isinstance(node.args[1], ast.Constant) else ""
            found |= {str(word)} & (OF_OS | OF_SIGNAL)
    return found


def listed() -> dict[tuple[str, str], str]:
    """The entries of the page's list: file and call -> test."""
    entries = PAGE.read_text(encoding="utf-8").partition("### Calls that one system alone has")[2].split("\n- ")[1:]
    rows = {}
    for entry in entries:
        spans = re.findall(r"`([^`]+)`", entry)
        for call in spans[1:-1]:
            rows[spans[0], call] = spans[-1]
    return rows


@functools.cache
def used() -> frozenset[tuple[str, str]]:
    """Files and the calls in them."""
    words = re.compile("|".join([*MODULES, *OF_OS, *OF_SIGNAL, *OF_CTYPES, *OF_PATH, *WORDS]))
    files = [path for top in TOPS for path in (ROOT / top).rglob("*.py")]
    some = [path for path in files if words.search(path.read_text(encoding="utf-8"))]
    return frozenset((path.relative_to(ROOT).as_posix(), call) for path in some for call in calls_of(path))


@pytest.mark.slow
def test_every_call_of_one_system_is_listed_and_nothing_else() -> None:
    assert sorted(set(used()) - set(listed())) == []
    assert sorted(set(listed()) - set(used())) == []


def test_every_listed_test_is_there_and_every_call_is_found() -> None:
    assert len(listed()) > 25 and len(used()) > 25
    for test in set(listed().values()):
        assert (ROOT / test).is_file(), test


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_the_type_checker_of_the_other_systems_finds_nothing_in_these_files(platform: str, tmp_path: Path) -> None:
    """Only the files of the table, alone: seconds. CONTRIBUTING has the command for everything."""
    files = sorted({file for file, _ in listed()})
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--platform", platform, "--follow-imports=skip", "--cache-dir", str(tmp_path)]
        + files,
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
    )
    assert done.returncode == 0, done.stdout
