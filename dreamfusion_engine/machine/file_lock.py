"""A lock file that one process holds at a time. The system frees it when that process ends, however it ends.

Every lock of the engine is this one, by the package filelock. The add-on and the set-up have their own, in the standard
library alone: Blender's Python has no packages, and the set-up runs before there are any.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dreamfusion_engine.errors import EngineError

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}  # some network file systems
_LOOKED_AT = 0.1  # seconds
_TEXT = 240  # bytes
_TEXT_AT = 1  # Windows locks the first byte, and lets nobody read it


@contextlib.contextmanager
def only_one(path: Path, busy: Callable[[str], EngineError]) -> Iterator[None]:
    """Hold the lock file `path`; remove it at the end. On a file system without locks nothing is held.

    path: Path of the file; its folder is made where there is none.
    busy: builds the error for a second process, from the holder in words, such as 'process 17 of this computer, since
        ...'.
    Raises that error, or OSError where the file cannot be made.
    """
    from filelock import FileLock, SoftFileLock, Timeout

    # Whoever only looks holds it for a moment. A run's end is heard of in another thread.
    lock = FileLock(path, timeout=_LOOKED_AT, poll_interval=_LOOKED_AT / 4, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise busy(_holder(path)) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
        return
    own_text = isinstance(lock, SoftFileLock)  # filelock's own way where the system has no such call
    if not own_text:
        _sign(path)
    try:
        yield
    finally:
        if os.name == "posix" and not own_text:
            with contextlib.suppress(OSError):
                path.unlink()  # while it is held: who opened it before sees that it is gone, and is refused
        lock.release()


def holder_of(path: Path) -> str | None:
    """Return who holds a lock file, in words; None where nobody does, and on a file system without locks.

    path: Path of the file. One that a process left which died is removed.
    """
    from filelock import FileLock, Timeout

    if not path.exists():
        return None
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        return _holder(path)
    except OSError:  # gone in this moment, or not to be written: nobody can say
        return None
    if os.name == "posix":
        with contextlib.suppress(OSError):
            path.unlink()
    lock.release()
    return None


def _sign(path: Path) -> None:
    """Write into the lock file who holds it, for people."""
    who = {"pid": os.getpid(), "computer": platform.node()[:60], "since": time.strftime("%Y-%m-%d %H:%M")}
    with contextlib.suppress(OSError), path.open("r+b", buffering=0) as stream:
        stream.seek(_TEXT_AT)
        stream.write(json.dumps(who).encode().ljust(_TEXT))  # over all that another may have written


def _holder(path: Path) -> str:
    """Who holds the lock, in words."""
    try:
        with path.open("rb", buffering=0) as stream:
            stream.seek(_TEXT_AT)
            who = json.loads(stream.read(_TEXT).decode())
        pid, computer, since = int(who["pid"]), str(who["computer"]), str(who["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    where = "this computer" if computer == platform.node()[:60] else f"the computer {computer[:60]}"
    return f"process {pid} of {where}, since {since[:16]}"
