"""Programs that the set-up runs: steps with a log, failures explained, and one set-up at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
LOG = ENVIRONMENT / "install.log"


class SetupFailed(Exception):
    """What happened, why, and what to do: shown on one screen, exit code 2."""

    def __init__(self, what: str, why: str, fix: str) -> None:
        super().__init__(what)
        self.text = f"error: {what}\n  why: {why}\n  fix: {fix}"


def clean_variables() -> dict[str, str]:
    """This process's variables without those that lead Python or pip elsewhere (Blender, for one, sets some)."""
    elsewhere = {"PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_DRY_RUN", "VIRTUAL_ENV"}
    return {k: v for k, v in os.environ.items() if k not in elsewhere} | {"PYTHONNOUSERSITE": "1"}


def say(text: str) -> None:
    """A line for the user, at once."""
    print(text, flush=True)


def step(label: str, command: Sequence[str]) -> None:
    """Run one command of the set-up with its output in the log, showing that time passes. Raises SetupFailed."""
    terminal = sys.stdout.isatty()
    began = time.monotonic()
    if not terminal:
        say(f"{label} ...")
    with LOG.open("ab") as log:
        log.write(_heading(command))
        log.flush()
        start = log.tell()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_variables(), cwd=ROOT
        )
        try:
            while True:
                try:
                    code = process.wait(timeout=1.0)
                    break
                except subprocess.TimeoutExpired:
                    if terminal:
                        print(f"\r{label} ... {time.monotonic() - began:.0f} s ", end="", flush=True)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if terminal:
        say(f"\r{label} ... {time.monotonic() - began:.0f} s ")
    if code != 0:
        raise explained(label, LOG.read_bytes()[start:].decode("utf-8", "replace"))


def output_of(command: Sequence[str]) -> str:
    """What a short command prints. Raises SetupFailed."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, env=clean_variables(), cwd=ROOT, timeout=600
    )
    with LOG.open("ab") as log:
        log.write(_heading(command) + done.stdout[:2000] + done.stderr)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        raise explained("Asking " + Path(command[0]).name, done.stderr.decode("utf-8", "replace") or text)
    return text


def _heading(command: Sequence[str]) -> bytes:
    return f"\n$ {subprocess.list2cmdline(command)}\n".encode("utf-8", "replace")


CAUSES = (
    ("no space left|disk quota", "The disk is full.", "Make room and start again."),
    (
        "name resolution|dns error|connection error|new connection|timed out|unreachable|proxyerror|sslerror",
        "The package index could not be reached.",
        "Check the internet connection and proxy settings, and start again.",
    ),
    (
        "no matching distribution|no wheels|not a supported wheel|no solution found",
        "A package has no build for this Python or machine.",
        "Use a 64-bit Python 3.10 to 3.13, on Linux, Windows or a Mac with Apple silicon.",
    ),
    ("permission denied|access is denied", "A file may not be written.", "Close programs that use .venv, try again."),
)


def explained(label: str, output: str) -> SetupFailed:
    """A failed command as an error: the likely cause by its output, the last line of it, and where the log is."""
    lines = [line.strip() for line in output.strip().splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")] or lines[-1:] or ["It said nothing."]
    cause, fix = "A step of the set-up failed.", "Start again; if it fails again, open an issue with the log."
    for pattern, likely, remedy in CAUSES:
        if re.search(pattern, output, re.IGNORECASE):
            cause, fix = likely, remedy
            break
    return SetupFailed(cause, f"{label}: {errors[-1][:300]}", f"{fix}\n  log: {LOG}")


def run(command: Sequence[str], **variables: str) -> int:
    """Run a program in the foreground and return its exit code; Ctrl-C is the program's own business."""
    process = subprocess.Popen(command, env={**clean_variables(), **variables})
    while True:
        try:
            code = process.wait()
            return 130 if code == -2 else code if code >= 0 else 128 - code
        except KeyboardInterrupt:
            continue


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Hold the lock of this checkout, so that two set-ups at once do not spoil each other's work."""
    name = hashlib.sha256(str(ROOT).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    with (Path(tempfile.gettempdir()) / f"dreamfusion-install-{owner}-{name}.lock").open("a+b") as lock:
        waiting = False
        while not try_lock(lock.fileno()):
            if not waiting:
                say("Waiting for another set-up of this checkout ...")
                waiting = True
            time.sleep(0.5)
        yield


def try_lock(descriptor: int) -> bool:
    """Take the lock of an open file if it is free; the system gives it back when the file is closed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
