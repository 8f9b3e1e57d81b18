"""What a child process is told, and that it ends whatever becomes of its parent: with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dreamfusion_engine.machine.child_process import child_environment

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
