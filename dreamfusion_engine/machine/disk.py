"""Full disks and folders that cannot be written: recognise such errors, and say what people need to know."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from dreamfusion_engine.errors import InputError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})  # no room, or no more of it for this person


def is_full(error: OSError) -> bool:
    """Return whether an error says that a disk has no room."""
    return error.errno in FULL


def disk_full(why: str, fix: str) -> InputError:
    """Build the error input.disk_full for a disk that filled up.

    why: str, which disk, and what the system said.
    fix: str, what the artist can do.
    """
    return InputError("input.disk_full", what="The disk is full.", why=why, fix=fix)


def check_room(folder: Path, needed: int, *, what: str, needs: str, fix: str) -> None:
    """Raise InputError input.disk_full unless a disk has room.

    folder: Path of a folder on it.
    needed: int, bytes.
    what: str, what cannot be done, one sentence.
    needs: str, who needs the room, such as "A run".
    fix: str, what the artist can do.
    Raises OSError where the disk cannot be asked.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            "input.disk_full",
            what=what,
            why=f"{needs} needs {_size(needed)}; the disk of {folder} has {_size(free)} left.",
            fix=fix,
        )


def output_error(folder: Path, error: OSError) -> InputError:
    """Build the error for a folder that cannot be written: input.disk_full or input.output.

    folder: Path that was to be written.
    error: OSError.
    """
    if is_full(error):
        return disk_full(
            f"Writing into {folder} failed: {error.strerror or error}.",
            "Free some space, or give an --output on another disk. What was saved before is kept: use --resume.",
        )
    return InputError(
        "input.output",
        what="The output folder cannot be written.",
        why=f"{folder}: {error.strerror or error}.",
        fix="Check its permissions, or give another --output.",
    )


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1 << 30 else f"{size >> 20} MiB"
