"""The file for the engine's standard error. Its size is bounded, secrets are hidden, the last lines stay in memory."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from ..blot import Blot

FILE_LIMIT = 1 << 20  # bytes before the file is put aside
KEPT = 2  # files put aside: engine.log.1, engine.log.2
TAIL_LINES = 40
LINE_LIMIT = 2000  # bytes of a line that are kept
PIECE_LINES = 100  # lines kept of one piece
_PIECE = 1 << 16  # bytes read at once
_FLOOD_PAUSE_S = 0.005


class EngineLog:
    """A log that never fails. On a full or read-only disk it keeps the last lines in memory only."""

    def __init__(self, path: Path, secrets: Sequence[str] = ()) -> None:
        """path: Path of the file; older files lie beside it as path.1, path.2.
        secrets: texts that are never written.
        """
        self.path = path
        self.blot = Blot(secrets)
        self._lock = threading.Lock()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._stream: BinaryIO | None = None
        self._size = 0

    def say(self, text: str) -> None:
        """Write a line of the add-on's own, with the time."""
        self.write(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] {text}".encode("utf-8", "replace"))

    def write(self, line: bytes) -> None:
        """Write one line, given without its line feed."""
        line = self.blot.line(line)[:LINE_LIMIT]
        with self._lock:
            self._tail.append(line.decode("utf-8", "replace").rstrip())
            with contextlib.suppress(OSError):  # a full disk must not end the engine's run
                self._store(line.rstrip(b"\r") + b"\n")

    def tail(self) -> list[str]:
        """The last lines that are not empty, oldest first."""
        with self._lock:
            return [line for line in self._tail if line.strip()]

    def close(self) -> None:
        """Close the file. A later line opens it again."""
        with self._lock:
            if self._stream is not None:
                with contextlib.suppress(OSError):
                    self._stream.close()
                self._stream = None

    def _store(self, line: bytes) -> None:
        if self._stream is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.path.open("ab", buffering=0)
            self._size = os.fstat(self._stream.fileno()).st_size
        if self._size + len(line) > FILE_LIMIT:
            self._stream.close()
            self._stream = None
            self._put_aside()
            self._stream = self.path.open("ab", buffering=0)
            self._size = os.fstat(self._stream.fileno()).st_size
        self._stream.write(line)
        self._size += len(line)

    def _put_aside(self) -> None:
        """Rename engine.log.1 to engine.log.2 and engine.log to engine.log.1. Where that fails, empty the file."""
        try:
            for number in range(KEPT, 0, -1):
                older = self.path.with_name(f"{self.path.name}.{number}")
                newer = self.path if number == 1 else self.path.with_name(f"{self.path.name}.{number - 1}")
                if newer.exists():
                    os.replace(newer, older)
        except OSError:  # Windows, while somebody reads it
            self.path.write_bytes(b"")


def copy_lines(stream: BinaryIO, log: EngineLog) -> None:
    """Copy a stream into the log, line by line, until its end.

    stream: unbuffered.
    log: EngineLog that gets the lines.
    """
    rest = b""
    while True:
        try:
            piece = stream.read(_PIECE)
        except (OSError, ValueError):  # closed under us
            piece = b""
        if not piece:
            break
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()[: 1 << 16]
        if len(lines) > PIECE_LINES:  # a flood: only its end is kept, because Blender needs Python's lock
            log.write(b"(%d lines are left out here)" % (len(lines) - PIECE_LINES))
            lines = lines[-PIECE_LINES:]
        if len(piece) >= _PIECE:
            time.sleep(_FLOOD_PAUSE_S)
        for line in lines:
            log.write(line)
    if rest:
        log.write(rest)
