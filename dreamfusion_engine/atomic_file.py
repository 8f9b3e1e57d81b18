"""Files that are there whole or not at all: written beside their place, flushed to the disk, moved into it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` as the file `path`. Raises OSError; then `path` is as it was."""
    write_whole(path, lambda temporary: _put(temporary, content))


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Make the file by `write`, given a temporary path beside it with the same ending, then move it into place.

    Raises what `write` raises, or OSError; then `path` is as it was and nothing is left behind.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("r+b") as file:  # Windows flushes only what it may write
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner can read; the outcome should be like any other file.
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the rename itself must reach the disk too
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
