"""Write files whole or not at all: beside their place, flushed to the disk, then moved into place."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_TRIES, _PAUSE = 50, 0.1  # seconds between them: five in all
_RANDOM = 4  # bytes of a temporary name, two letters each
_TEMPORARY = re.compile(r"\.(?P<stem>.+)-[0-9a-f]{8}(?P<suffix>\.[^.]+)?")
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` as the file `path`.

    path: Path.
    content: bytes of the whole file.
    Raises OSError; then `path` is as it was.
    """
    write_whole(path, lambda temporary: _put(temporary, content))


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Make a file with `write`, under a temporary name beside it, then move it into place.

    A process that is killed meanwhile leaves the temporary file: see `sweep`.

    path: Path of the file.
    write: called with a temporary path with the same ending.
    Raises what `write` raises, or OSError; then `path` is as it was and nothing is left behind.
    """
    temporary = _made_beside(path)
    try:
        write(temporary)
        with temporary.open("r+b") as file:  # Windows flushes only what it may write
            os.fsync(file.fileno())
        move_into_place(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the rename itself must reach the disk too
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def move_into_place(source: Path, target: Path) -> None:
    """Rename a file or folder over what is at `target`.

    Windows refuses that while another program has it open: a viewer, a virus scanner, or a Blender that reads it. Such
    programs are waited for a little.

    source, target: Path, on one disk.
    Raises OSError, after the wait with words for people; then both are as they were.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            os.replace(source, target)
            return
        except PermissionError as error:
            if sys.platform != "win32":
                raise
            if not tries_left:
                why = "another program has it open, or it may not be written"
                raise PermissionError(error.errno, why, str(target)) from error
            time.sleep(_PAUSE)


def sweep(folder: Path, names: Iterable[str]) -> list[Path]:
    """Remove the temporary files that killed processes left in `folder`; return them.

    A file that cannot be removed stays.

    folder: Path; need not exist, but no other process may write such files into it now.
    names: patterns of the finished files, such as 'state-*.safetensors'; every other file stays.
    """
    patterns, gone = tuple(names), []
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            found = _TEMPORARY.fullmatch(path.name)
            finished = f"{found['stem']}{found['suffix'] or ''}" if found else ""
            if not any(fnmatch.fnmatchcase(finished, pattern) for pattern in patterns):
                continue
            with contextlib.suppress(OSError):
                if stat.S_ISREG(path.lstat().st_mode):
                    path.unlink()
                    gone.append(path)
    return gone


def _made_beside(path: Path) -> Path:
    """A new empty file in the folder of `path`, of the same ending, with the rights that any new file has.

    Never through a link, and never by asking for the umask: that sets it, for all threads, for a moment.
    """
    while True:
        temporary = path.with_name(f".{path.stem}-{secrets.token_hex(_RANDOM)}{path.suffix}")
        try:
            os.close(os.open(temporary, _NEW_FILE, 0o666))
        except FileExistsError:
            continue
        return temporary


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
