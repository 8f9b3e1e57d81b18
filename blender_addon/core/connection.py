"""The engine's process: started, spoken to and ended without ever keeping Blender waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .job import Trouble
from .protocol import Frame


class EngineProcess:
    """One engine: a child process over pipes. Everything here returns at once; threads of its own do what may wait.

    The process is started by a thread, so a missing interpreter shows as an ended process with `trouble`, not as an
    exception. Threads never touch bpy.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
        secrets: Sequence[str] = (),
        local: bool = True,
    ) -> None:
        """Start `command` and say hello.

        log: file for what the engine writes to its standard error; rotated. environ: of the child, default this
        process's. folder: working directory. secrets: texts that are blotted out of the log. local: whether the engine
        sees this machine's files.
        """
        raise NotImplementedError

    @property
    def ended(self) -> bool:
        """Whether the process has ended, or never began."""
        raise NotImplementedError

    @property
    def trouble(self) -> Trouble | None:
        """Why the process ended, or what is wrong on the wire; None while all is well or after a wished end."""
        raise NotImplementedError

    def send(self, message: Mapping[str, Any]) -> None:
        """Queue one message for the engine; dropped when it has ended."""
        raise NotImplementedError

    def receive(self) -> Frame | None:
        """The next frame that has arrived, or None."""
        raise NotImplementedError

    def end(self) -> None:
        """Ask the engine to end; terminate it and then kill it if it does not. Returns at once."""
        raise NotImplementedError

    def kill(self) -> None:
        """End the process and its children now."""
        raise NotImplementedError

    def close(self, timeout_s: float = 1.8) -> None:
        """End the process and wait for that: no longer than `timeout_s`, then it has been killed."""
        raise NotImplementedError
