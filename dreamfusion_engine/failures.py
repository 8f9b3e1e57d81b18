"""The last net: whatever ends a run, as one of the engine's own errors. Command line and server share it."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
import traceback
from pathlib import Path

from dreamfusion_engine.errors import EngineError, InputError, RunError, SetupError
from dreamfusion_engine.inputs.outside_text import first_line
from dreamfusion_engine.machine.device import device_lost, out_of_memory
from dreamfusion_engine.machine.disk import disk_full, is_full

_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_ROOM = 1 << 20  # bytes of a disk that is as good as full
_LOGS_A_SECOND = 100
_REPORT_TO = "If it happens again, open an issue with that file."


def as_engine_error(error: BaseException, log_folder: Path | None = None) -> EngineError:
    """Return any exception as one of the engine's own errors.

    Its own errors come back as they are, known foreign ones as what they mean. Anything else is a bug, and a log gets
    its traceback.

    error: BaseException that ended the work.
    log_folder: Path for the log; None, or one that is not there: the system's folder for temporary files.
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
        why=first_line(f"{type(error).__name__}: {error}"),
        fix=f"The details are in {log}. {_REPORT_TO}",
    )


def _known(error: BaseException, output: Path | None) -> EngineError | None:
    if out_of_memory(error):
        return RunError(
            "run.out_of_memory",
            what="The memory ran out.",
            why=first_line(str(error) or type(error).__name__),
            fix="Close other programs, or ask for less: --set memory.offload=all for a large model, --set "
            "mesh.resolution=128 for the mesh. What was saved before is kept: use --resume.",
        )
    if device_lost(error):
        return RunError(
            "run.device_lost",
            what="A graphics card stopped answering.",
            why=first_line(str(error) or type(error).__name__),
            fix="Look after its cable, its power and its driver, and start the engine again. What was saved before is "
            "kept: use --resume; with --device cpu it goes on without the card.",
        )
    if isinstance(error, OSError) and is_full(error):
        return _disk_full(error, output)
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):  # of tempfile.gettempdir
        return InputError(
            "input.temporary_folder",
            what="No folder for temporary files can be written.",
            why=first_line(str(error)),
            fix="Make room on their disk, or set TMPDIR to a folder that can be written, and use --resume.",
        )
    if isinstance(error, OSError) and error.errno in _NOT_WRITABLE and error.filename:
        return InputError(
            "input.output",
            what="A file cannot be read or written.",
            why=first_line(str(error)),
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


def _write_log(error: BaseException, folder: Path | None) -> Path:
    """The traceback in a new file. A folder that cannot be written falls back to the system's temporary one."""
    text = "".join(traceback.format_exception(error))
    name = f"error-{time.strftime('%Y%m%d-%H%M%S')}"
    for place in (folder, _temporary_folder()):
        if place is None or not place.is_dir():
            continue
        for number in range(1, _LOGS_A_SECOND):
            log = place / (f"{name}.log" if number == 1 else f"{name}-{number}.log")
            try:
                # "x" makes a file or fails: what lies there, a link of somebody else's above all, is never written to.
                with log.open("x", encoding="utf-8", errors="backslashreplace") as stream:
                    stream.write(text)
                return log
            except FileExistsError:
                continue
            except OSError:
                break
    return Path("(no folder for the log could be written)")


def _temporary_folder() -> Path | None:
    """The system's folder for temporary files; None where there is none that can be written."""
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        return None


def _disk_full(error: OSError, output: Path | None) -> InputError:
    """Which disk is full: that of the file where the error names one, else the one that has no room."""
    temporary = _temporary_folder()
    named = Path(os.fsdecode(error.filename)).parent if isinstance(error.filename, str | bytes) else None
    place = named or next((folder for folder in (temporary, output) if folder and _is_full(folder)), None)
    if place is None:
        where, fix = "", "Make room and run the same command with --resume, or give another --output folder."
    elif temporary is not None and place.is_relative_to(temporary) and not (output and place.is_relative_to(output)):
        where = f" The folder for temporary files, {temporary}, has no room left."
        fix = "Make room there, or set TMPDIR (TEMP on Windows) to a folder on a larger disk; then use --resume."
    else:
        where = f" The disk of {place} has no room left."
        fix = "Make room there and run the same command with --resume, or give another --output folder."
    return disk_full(first_line(str(error)) + where, fix)


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _NO_ROOM
    except OSError:
        return False
