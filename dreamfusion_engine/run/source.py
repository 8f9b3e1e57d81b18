"""The mesh that a run was given, kept in its folder, so that the run can be resumed without it."""

from __future__ import annotations

from pathlib import Path

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.run_folder import SOURCE


def keep_source(mesh: bytes, folder: Path) -> None:
    """Write the mesh into the run's folder; without one, remove that of an earlier run.

    mesh: bytes of a binary glTF, or b"".
    folder: Path of the run.
    Raises InputError where it cannot be written.
    """
    try:
        if mesh:
            write_atomically(folder / SOURCE, mesh)
        else:
            (folder / SOURCE).unlink(missing_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error


def kept_source(folder: Path) -> bytes:
    """Return the mesh that the folder's run began with; b"" where it had none, or it cannot be read.

    folder: Path of the run.
    """
    try:
        return (folder / SOURCE).read_bytes()
    except OSError:
        return b""


def begun_with(folder: Path, does: str) -> bytes:
    """Return the mesh that the folder's run began with, for a run that goes on with it.

    folder: Path of the run.
    does: str, what such a run does, as in 'a run that paints'.
    Raises InputError checkpoint.missing where there is none.
    """
    mesh = kept_source(folder)
    if not mesh:
        raise InputError(
            "checkpoint.missing",
            what="There is no run to resume in this folder.",
            why=f"{folder / SOURCE} is not there, or cannot be read.",
            fix=f"Give the folder of a run that {does}, or leave out --resume to start anew.",
        )
    return mesh
