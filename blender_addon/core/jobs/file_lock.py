"""A lock that the system releases when its owner dies. The file names the owner's process for people to read."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sys
from pathlib import Path
from typing import BinaryIO

# Windows locks ranges of bytes and lets nobody read them: the lock lies far behind the text.
_LOCKED_AT = 1 << 20
_PROCESS = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)  # a number; "²" is a digit for Python, but int() refuses it
_TEXT_LIMIT = 300  # bytes: a process number and a computer's name


class FileLock:
    """An exclusive lock on a small file. A second FileLock on the same path is refused, in this process too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: BinaryIO | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._stream is not None

    def acquire(self) -> bool:
        """Take the lock if it is free. Never waits.

        Raises OSError when the file cannot be made or opened.
        """
        if self._stream is not None:
            return True
        stream = open(self.path, "a+b")  # noqa: SIM115  it stays open for as long as the lock is held
        try:
            taken = _lock(stream) and _still_there(stream, self.path)
        except OSError:  # a file system without locks
            taken = _living(_text(stream)) is None
        if not taken:
            stream.close()
            return False
        self._stream = stream
        with contextlib.suppress(OSError):  # only for people to read
            stream.truncate(0)
            stream.write(f"{os.getpid()} {platform.node()}".encode("utf-8", "replace")[:_TEXT_LIMIT])
            stream.flush()
        return True

    def release(self) -> None:
        """Give the lock back and remove its file."""
        if self._stream is None:
            return
        stream, self._stream = self._stream, None
        if sys.platform != "win32":  # removed while it is still held, so that nobody else's new file is removed
            self._remove()
        stream.close()
        if sys.platform == "win32":
            self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):  # somebody else looks at it right now
            self.path.unlink()


def owner(path: Path) -> int | None:
    """The process that holds the lock; None when nobody does; 0 when the process is not known.

    path: Path of the lock's file. The file is never removed here.
    """
    try:
        stream = open(path, "r+b")  # noqa: SIM115  closed below, whatever happens
    except FileNotFoundError:
        return None
    except OSError:
        return 0
    with stream:
        try:
            free = _lock(stream)
        except OSError:  # a file system without locks
            return _living(_text(stream))
        return None if free else _number(_text(stream))


def _lock(stream: BinaryIO) -> bool:
    """Whether the lock was free, and is ours now. Raises OSError where the file system has no locks."""
    if sys.platform == "win32":
        import msvcrt

        stream.seek(_LOCKED_AT)
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        finally:
            stream.seek(0)
        return True
    import fcntl

    try:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still_there(stream: BinaryIO, path: Path) -> bool:
    """Whether the locked file is still the one at `path`: its last owner may have removed it a moment ago."""
    if sys.platform == "win32":  # an open file is not removed there
        return True
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _text(stream: BinaryIO) -> str:
    try:
        stream.seek(0)
        return stream.read(_TEXT_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""


def _number(text: str) -> int:
    word = text.partition(" ")[0]
    return int(word) if _PROCESS.fullmatch(word) else 0


def _living(text: str) -> int | None:
    """The process that an unlocked lock file names, for file systems without locks; None if it does not live here."""
    number = _number(text)
    if not number or sys.platform == "win32" or text.partition(" ")[2] != platform.node():
        return None
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return None
    except PermissionError:  # it lives, under another user
        return number
    except OverflowError:  # no system has so many
        return None
    return number
