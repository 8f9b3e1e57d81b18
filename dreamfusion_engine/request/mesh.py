"""The mesh of a request: read from its file, and looked at from outside. What it holds is read when the run begins."""

from __future__ import annotations

import stat
import struct
from pathlib import Path

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.inputs.given_path import UnusablePath, given_path, shortened

MESH_LIMIT = 1 << 28  # bytes of a mesh that is painted: five million triangles are some 200 MiB
_LONGEST_STEM = 30  # characters of a mesh file's name in that of the run's folder


def given_mesh(mesh: Path | bytes, resume: bool) -> bytes:
    """Return the bytes of the mesh that a run works on; b"" for the one that it began with.

    mesh: Path of a .glb, or its bytes.
    resume: bool, whether the run resumes, and may leave its mesh out.
    Raises InputError for a mesh that is none.
    """
    data = mesh_bytes(mesh) if isinstance(mesh, Path) else mesh
    if data or not resume:
        check_glb(data)
    return data


def of_mesh(mesh: Path | bytes, words: str) -> str:
    """Return words for a folder, after the name of the mesh's file where there is one.

    mesh: Path of a .glb, or its bytes.
    words: str.
    """
    return f"{mesh.stem[:_LONGEST_STEM]} {words}" if isinstance(mesh, Path) else words


def mesh_bytes(path: Path) -> bytes:
    """Return the bytes of a mesh file.

    path: Path.
    Raises InputError for one that cannot be read or is too large.
    """
    try:
        found = Path(given_path(path))
        status = found.stat()
        if not stat.S_ISREG(status.st_mode):  # a device may never end
            raise UnusablePath("it is a folder" if found.is_dir() else "it is no file")
        check_mesh_size(status.st_size, f"{shortened(path)} has")
        return found.read_bytes()
    except (OSError, UnusablePath) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(
            "input.mesh",
            what="The mesh file cannot be read.",
            why=f"{shortened(path)}: {why}.",
            fix="Give the path of a .glb file: File > Export > glTF 2.0 in Blender, format glTF Binary.",
        ) from error


def check_mesh_size(size: int, subject: str = "It has") -> None:
    """Raise InputError for a mesh of more than MESH_LIMIT.

    size: int, bytes.
    subject: str, which begins the reason.
    """
    if size > MESH_LIMIT:
        raise InputError(
            "input.mesh",
            what="The mesh file is too large.",
            why=f"{subject} {size >> 20:,} MiB; the limit is {MESH_LIMIT >> 20} MiB.",
            fix="Export it without textures, or give a decimated copy.",
        )


def check_glb(data: bytes) -> None:
    """Raise InputError unless the bytes begin as a binary glTF 2 of their length, of MESH_LIMIT at most.

    The rest is read when the run begins.

    data: bytes of the file.
    """
    check_mesh_size(len(data))
    begins = len(data) >= 12 and data[:4] == b"glTF"
    if not begins or struct.unpack_from("<II", data, 4) != (2, len(data)):
        raise InputError(
            "input.mesh",
            what="The mesh is not a binary glTF file.",
            why="Its header is not that of a whole glTF 2.0 binary." if begins else "It does not begin as one does.",
            fix="Export it again: File > Export > glTF 2.0 in Blender, format glTF Binary (.glb).",
        )
