"""Programs that the set-up runs: steps with a log, failures explained, and one set-up at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from installer.telling import Terminal

ROOT = Path(__file__).resolve().parent.parent  # a checkout, or the folder "engine" of the packed add-on
ENVIRONMENT = Path(os.environ.get("DREAMFUSION_ENVIRONMENT") or ROOT / ".venv")
LOG = ENVIRONMENT / "install.log"
PACE = 0.5  # seconds between two looks at a step that runs


class SetupFailed(Exception):
    """What happened, why, and what to do. It is shown on one screen, and the exit code is 2."""

    def __init__(self, what: str, why: str, fix: str) -> None:
        super().__init__(what)
        self.what, self.why, self.fix = what, why, fix
        self.text = f"error: {what}\n  why: {why}\n  fix: {fix}"


class SetupCancelled(Exception):
    """The set-up was asked to stop, and has stopped."""


class Told:
    """Holds the teller to which the set-up reports. A program that listens puts its own one here."""

    teller: Terminal = Terminal()


def clean_variables() -> dict[str, str]:
    """Return this process's environment variables without those that lead Python or pip elsewhere. Blender sets some.

    The add-on has its own list (`core/clean_environment.py`), because neither of the two can import the other.
    """
    elsewhere = {"PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_DRY_RUN", "VIRTUAL_ENV"}
    return {k: v for k, v in os.environ.items() if k not in elsewhere} | {"PYTHONNOUSERSITE": "1"}


def say(text: str) -> None:
    """Show the user a line at once."""
    Told.teller.say(text)


def step(label: str, command: Sequence[str]) -> None:
    """Run one command of the set-up. Its output goes into the log, and the passing time is shown.

    label: str, what the command does, for the user.
    command: words.
    Raises SetupFailed, or SetupCancelled.
    """
    teller = Told.teller
    began = time.monotonic()
    teller.began(label)
    with LOG.open("ab") as log, LOG.open("rb") as reader:
        log.write(_heading(command))
        log.flush()
        start = log.tell()
        reader.seek(start)
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_variables(), cwd=ROOT
        )
        try:
            code = None
            while code is None:
                if teller.cancelled:
                    raise SetupCancelled
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(timeout=PACE)
                teller.passing(label, time.monotonic() - began, reader.read().decode("utf-8", "replace"))
        finally:
            if process.poll() is None:
                end(process)
    teller.ended(label, time.monotonic() - began)
    if code != 0:
        raise explained(label, LOG.read_bytes()[start:].decode("utf-8", "replace"))


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program. On Windows its children are ended too, because they would outlive it."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
    process.terminate()
    process.wait()


def output_of(command: Sequence[str], folder: Path = ROOT) -> str:
    """Run a short command and return what it prints.

    command: words.
    folder: Path in which it runs.
    Raises SetupFailed.
    """
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, env=clean_variables(), cwd=folder, timeout=600
    )
    with LOG.open("ab") as log:
        log.write(_heading(command) + done.stdout[:2000] + done.stderr)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        raise explained("Asking " + Path(command[0]).name, done.stderr.decode("utf-8", "replace") or text)
    return text


def bounded_answer(command: Sequence[str], seconds: float, most: int) -> str:
    """What a program that is not ours prints, '' where it is not there, fails or takes too long. It is ended then.

    The engine has the same (`machine/child_process.py`). It cannot be imported here: in the packed add-on it is a wheel
    that this set-up installs. What is mended in one is mended in the other.

    command: words.
    seconds: float, for all of it.
    most: int, bytes that are read; one that prints more is ended, and what was read is its answer.
    """
    until = time.monotonic() + seconds
    try:
        program = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_variables()
        )
    except OSError:
        return ""
    said: list[bytes] = []

    def read() -> None:
        assert program.stdout is not None
        said.append(program.stdout.read(most + 1))

    # A program that it has started may hold the pipe open for ever, so nobody but a thread waits for the end of that.
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(seconds)
    with contextlib.suppress(subprocess.TimeoutExpired):
        if said and len(said[0]) <= most:
            program.wait(max(0.0, until - time.monotonic()))
    code = program.poll()
    if code is None:
        program.kill()
        program.wait()
    if said and program.stdout is not None:
        program.stdout.close()
    whole = bool(said) and (code == 0 or len(said[0]) > most)
    return said[0][:most].decode("utf-8", "replace") if whole else ""


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
    ("permission denied|access is denied", "A file may not be written.", "Close programs that use it, try again."),
)


def explained(label: str, output: str) -> SetupFailed:
    """A failed command as an error: the likely cause, the last line of the output, and the log's place.

    label: str, what the command does, for the user.
    output: str, what it printed.
    """
    lines = [line.strip() for line in output.strip().splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")] or lines[-1:] or ["It said nothing."]
    cause, fix = "A step of the set-up failed.", "Start again; if it fails again, open an issue with the log."
    for pattern, likely, remedy in CAUSES:
        if re.search(pattern, output, re.IGNORECASE):
            cause, fix = likely, remedy
            break
    return SetupFailed(cause, f"{label}: {errors[-1][:300]}", f"{fix}\n  log: {LOG}")


def run(command: Sequence[str], **variables: str) -> int:
    """Run a program in the foreground and return its exit code. Ctrl-C is left to the program.

    command: words.
    variables: environment variables to add.
    """
    process = subprocess.Popen(command, env={**clean_variables(), **variables})
    while True:
        try:
            code = process.wait()
            return 130 if code == -2 else code if code >= 0 else 128 - code
        except KeyboardInterrupt:  # it reaches the program too
            continue


def run_in_turn(commands: Sequence[tuple[str, Sequence[str]]], at_once: int) -> list[str]:
    """Run programs, the next as soon as one has ended. Returns the names of those that failed, in their order.

    commands: name and words of each; its output is shown in one piece when it has ended.
    at_once: int, how many may run at the same time.
    """
    todo, failed, telling = iter(commands), set(), threading.Lock()
    running: list[subprocess.Popen[bytes]] = []

    def take() -> None:
        while True:
            with telling:
                name, words = next(todo, ("", ()))
            if not words:
                return
            with tempfile.TemporaryFile() as output:
                process = subprocess.Popen(words, env=clean_variables(), stdout=output, stderr=subprocess.STDOUT)
                running.append(process)
                code = process.wait()
                output.seek(0)
                with telling:
                    say(f"{name}:")
                    sys.stdout.flush()
                    shutil.copyfileobj(output, sys.stdout.buffer)
                    sys.stdout.flush()
                    if code < 0:
                        say(f"It was ended by signal {-code}.")
                    if code != 0:
                        failed.add(name)

    threads = [threading.Thread(target=take) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:  # it reaches the programs too
        with telling:
            todo = iter(())
        for process in running:
            process.terminate()
        raise
    return [name for name, _ in commands if name in failed]


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Hold the lock of this environment, so that two set-ups do not spoil each other's work. Waits for it.

    The engine's lock cannot be used: the packages that it needs are installed here.
    Raises SetupCancelled.
    """
    name = hashlib.sha256(str(ENVIRONMENT).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    with (Path(tempfile.gettempdir()) / f"dreamfusion-install-{owner}-{name}.lock").open("a+b") as lock:
        waiting = False
        while not try_lock(lock.fileno()):
            if not waiting:
                say("Waiting for another set-up of this environment ...")
                waiting = True
            if Told.teller.cancelled:
                raise SetupCancelled
            time.sleep(PACE)
        yield


def try_lock(descriptor: int) -> bool:
    """Take the lock of an open file. Returns whether it was free. The system releases it when the file is closed.

    descriptor: int, of the file.
    """
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
