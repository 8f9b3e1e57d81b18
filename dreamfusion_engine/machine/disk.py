"""Full disks and folders that cannot be written: recognise such errors, and say what people need to know."""

from __future__ import annotations

import errno
from pathlib import Path

from dreamfusion_engine.errors import InputError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})  # no room, or no more of it for this person


def is_full(error: OSError) -> bool:
    """Return whether an error says that a disk has no room."""
    return error.errno in FULL


def output_error(folder: Path, error: OSError) -> InputError:
    """Build the error for a folder that cannot be written: input.disk_full or input.output.

    folder: Path that was to be written.
    error: OSError.
    """
    if is_full(error):
        return InputError(
            "input.disk_full",
            what="The disk is full.",
            why=f"Writing into {folder} failed: {error.strerror or error}.",
            fix="Free some space, or give an --output on another disk. What was saved before is kept: use --resume.",
        )
    return InputError(
        "input.output",
        what="The output folder cannot be written.",
        why=f"{folder}: {error.strerror or error}.",
        fix="Check its permissions, or give another --output.",
    )
