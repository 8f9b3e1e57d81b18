"""The child process of an installation. Its messages are read from a file that grows, so that Blender never waits."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..clean_environment import clean_environment

CANCEL_SECONDS = 5.0  # the child has these seconds to end by itself


class SetupChild:
    """The child process. Its stdout is a file that is read as it grows; closing its stdin asks it to end."""

    def __init__(self, words: Sequence[str], folder: Path, limit_s: float | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.words = list(words)
        self._told = folder / "engine-setup.jsonl"
        self._errors = folder / "engine-setup.err"
        with self._told.open("wb") as told, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                self.words,
                stdin=subprocess.PIPE,
                stdout=told,
                stderr=errors,
                env=clean_environment(os.environ),
                start_new_session=os.name != "nt",
                creationflags=_windows_flags(),
            )
        self._read = 0
        self._deadline = time.monotonic() + limit_s if limit_s is not None else None
        self.ending = False

    def messages(self) -> list[dict[str, Any]]:
        """The messages since the last call. Half lines are left for the next call; what is no message is skipped."""
        with self._told.open("rb") as file:
            file.seek(self._read)
            data = file.read(1 << 16)
        whole = data.rfind(b"\n") + 1
        self._read += whole
        found = []
        for line in data[:whole].splitlines():
            with contextlib.suppress(ValueError):  # something that Python itself printed
                message = json.loads(line)
                if isinstance(message, dict):
                    found.append(message)
        return found

    def over(self) -> bool:
        """Whether the process has ended. A process that is past its time is killed here."""
        if self._process.poll() is not None:
            return True
        if self._deadline is not None and time.monotonic() > self._deadline:
            self.kill()
        return False

    def ask_to_end(self) -> None:
        """Close the child's stdin, which asks it to end. After a few seconds `over` kills it."""
        if not self.ending:
            self.ending = True
            self._deadline = time.monotonic() + CANCEL_SECONDS
            if self._process.stdin is not None:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()

    def kill(self) -> None:
        """End the child and everything that it started, at once."""
        if self._process.poll() is not None:
            return
        if sys.platform == "win32":
            command = ["taskkill", "/F", "/T", "/PID", str(self._process.pid)]
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        else:
            import signal

            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()  # a killed process ends at once

    def last_words(self) -> str:
        """The last line that it wrote to stderr."""
        with contextlib.suppress(OSError):
            lines = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return lines[-1][:300] if lines else ""
        return ""


def _windows_flags() -> int:
    """No console window beside Blender's."""
    if sys.platform != "win32":
        return 0
    return subprocess.CREATE_NO_WINDOW
