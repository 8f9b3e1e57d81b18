"""A child process and everything that it starts, as one group that can be ended together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


class ProcessGroup:
    """A child in a group of its own.

    On POSIX the child leads a session, so that Ctrl-C in Blender's terminal does not reach it and its children are
    ended with it. If Blender is killed there, the end of standard input ends the engine. On Windows the child is in a
    job object. The system ends that when its last handle is closed, which happens even when Blender is killed.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str] | None, folder: Path | None) -> None:
        """Start a command with unbuffered pipes.

        command: words.
        environ: variables of the child; None for those of this process.
        folder: Path of the working directory, None for the present one.
        Raises OSError, or ValueError for a word with a null character.
        """
        self.process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=None if environ is None else dict(environ),
            cwd=folder,
            start_new_session=sys.platform != "win32",
            creationflags=_windows_flags(),
        )
        self._job: object | None = None
        if sys.platform == "win32":
            from .windows_job import KillOnCloseJob

            with contextlib.suppress(OSError):  # without it, the end of standard input still ends the engine
                self._job = KillOnCloseJob(int(self.process._handle))  # type: ignore[attr-defined]

    def terminate(self) -> None:
        """Ask the child to end, by SIGTERM. Windows has no such request and ends the child."""
        with contextlib.suppress(OSError):
            self.process.terminate()

    def kill(self) -> None:
        """End the child and everything that it started, now."""
        if sys.platform == "win32":
            self._job = None  # the handle goes, and the job object's processes with it
            with contextlib.suppress(OSError):
                self.process.kill()
        else:
            # The group's number is taken as long as it has a member, the unreaped child included.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait for the child's end, end what it left behind, and return the exit code."""
        code = self.process.wait()
        self.kill()
        return code


def _windows_flags() -> int:
    if sys.platform != "win32":
        return 0
    return subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
