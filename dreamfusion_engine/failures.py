"""The last net: whatever ends a run, as one of the engine's own errors. Command line and server share it."""

from __future__ import annotations

import errno
import tempfile
import time
import traceback
from pathlib import Path

from dreamfusion_engine.device import out_of_memory
from dreamfusion_engine.errors import EngineError, InputError, RunError, SetupError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
_REPORT_TO = "If it happens again, open an issue with that file."


def as_engine_error(error: BaseException, log_folder: Path | None = None) -> EngineError:
    """`error` itself when it is one of ours; known foreign ones mapped; anything else a bug, its traceback in a log.

    log_folder: where the log goes if the folder exists; else the system's folder for temporary files.
    """
    if isinstance(error, EngineError):
        return error
    known = _known(error, log_folder)
    if known is not None:
        return known
    log = _write_log(error, log_folder)
    return RunError(
        "internal.bug",
        what="The engine met a bug in itself and stopped.",
        why=_first_line(f"{type(error).__name__}: {error}"),
        fix=f"The details are in {log}. {_REPORT_TO}",
    )


def _known(error: BaseException, output: Path | None) -> EngineError | None:
    if out_of_memory(error):
        return RunError(
            "run.out_of_memory",
            what="The memory ran out.",
            why=_first_line(str(error) or type(error).__name__),
            fix="Close other programs, or ask for less: --set memory.offload=all for a large model, --set "
            "mesh.resolution=128 for the mesh. What was saved before is kept: use --resume.",
        )
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return _disk_full(error, output)
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):  # of tempfile.gettempdir
        return InputError(
            "input.temporary_folder",
            what="No folder for temporary files can be written.",
            why=_first_line(str(error)),
            fix="Make room on their disk, or set TMPDIR to a folder that can be written, and use --resume.",
        )
    if isinstance(error, OSError) and error.errno in _NOT_WRITABLE and error.filename:
        return InputError(
            "input.output",
            what="A file cannot be read or written.",
            why=_first_line(str(error)),
            fix="Change the permissions, or give another --output folder.",
        )
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("dreamfusion_engine"):
        return SetupError(
            "setup.package",
            what=f"The package '{error.name}' is missing.",
            why="The engine's environment is not complete.",
            fix="Run: python3 install.py engine",
        )
    return None


def _disk_full(error: OSError, output: Path | None) -> InputError:
    """Which disk is full: that of the file, or that of temporary files where none is named or it is one of those."""
    place = _temporary_folder()
    named = None if error.filename is None else Path(str(error.filename))
    of_output = named is not None and output is not None and named.is_relative_to(output)  # which may be in the other
    temporary = place is not None and not of_output and (named is None or named.is_relative_to(place))
    if not temporary:
        return InputError(
            "input.disk_full",
            what="The disk is full.",
            why=_first_line(str(error)),
            fix="Make room and run the same command with --resume, or give another --output folder.",
        )
    return InputError(
        "input.disk_full",
        what="The disk of the folder for temporary files is full." if error.filename else "A disk is full.",
        why=_first_line(str(error)) + f". The folder for temporary files is {place}.",
        fix=f"Make room in {place}, or set TMPDIR to a folder on another disk"
        + ("" if error.filename else "; if it has room, make some in the --output folder")
        + ". Then run the same command with --resume.",
    )


def _temporary_folder() -> Path | None:
    """The system's folder for temporary files, None where none can be written: all are full, or TMPDIR is not there."""
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        return None


def _write_log(error: BaseException, folder: Path | None) -> Path:
    """The traceback in a new file. A folder that cannot be written falls back to the system's temporary one."""
    text = "".join(traceback.format_exception(error))
    name = f"error-{time.strftime('%Y%m%d-%H%M%S')}.log"
    for place in (folder, _temporary_folder()):
        if place is None or not place.is_dir():
            continue
        try:
            log = place / name
            log.write_text(text, encoding="utf-8", errors="backslashreplace")
            return log
        except OSError:
            continue
    return Path("(no folder for the log could be written)")


def _first_line(text: str, limit: int = 300) -> str:
    lines = text.strip().splitlines()
    line = lines[0] if lines else "no further words"
    return line if len(line) <= limit else line[:limit] + "..."
