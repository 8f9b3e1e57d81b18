"""The files of a run on their way between machines: what is new of a folder, and its checkpoints never half."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from dreamfusion_engine.machine.atomic_file import write_atomically

_INDEX = "checkpoint.json"
_LAST = (_INDEX, "result.json")  # they say that the rest is there, and so come last
_ATTEMPTS = 20


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """New files of a folder.

    files: path within the folder to content.
    names: every file that the folder has.
    """

    files: dict[str, bytes]
    names: list[str]


@dataclass
class Packer:
    """Packs what has changed in a run's folder since the last time.

    folder: Path of the run.
    """

    folder: Path
    _sent: dict[str, tuple[int, int]] = field(default_factory=dict)

    def checkpoint_marks(self) -> dict[str, int]:
        """Return the checkpoints that are there, each with when it was written; another answer, another checkpoint."""
        marks = {}
        for path in sorted(self.folder.glob(f"checkpoint*/{_INDEX}")):
            try:
                marks[path.parent.name] = path.stat().st_mtime_ns
            except OSError:
                continue
        return marks

    def pack(self) -> Bundle | None:
        """Return what is new; None where the run wrote faster than it could be read.

        Raises OSError.
        """
        for _ in range(_ATTEMPTS):
            before = self.checkpoint_marks()
            files, seen = {}, {}
            try:
                for name, path in _files(self.folder):
                    status = path.stat()
                    seen[name] = (status.st_mtime_ns, status.st_size)
                    if self._sent.get(name) != seen[name]:
                        files[name] = path.read_bytes()
            except FileNotFoundError:  # a checkpoint was replaced
                continue
            if self.checkpoint_marks() == before:
                self._sent = seen
                return Bundle(files=files, names=list(seen))
        return None


def unpack(bundle: Bundle, folder: Path) -> None:
    """Write a bundle's files, and take away what its folder no longer has of checkpoints.

    A checkpoint's state comes before the file that names it, and the old state goes last: at every moment there is a
    whole one.

    bundle: Bundle.
    folder: Path of the run.
    Raises OSError; ValueError for a file that would lie outside.
    """
    folder.mkdir(parents=True, exist_ok=True)
    order = sorted(bundle.files, key=lambda name: PurePosixPath(name).name in _LAST)
    for name in order:
        path = _inside(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, bundle.files[name])
    kept = set(bundle.names)
    for name, path in list(_files(folder)):
        if name not in kept and name.startswith("checkpoint"):
            path.unlink(missing_ok=True)


def whole(folder: Path) -> Bundle:
    """Return everything that a folder has; nothing where there is none.

    folder: Path of a run that nobody writes.
    Raises OSError.
    """
    return Packer(folder).pack() or Bundle(files={}, names=[])


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of a run by their path within it; not its lock, and nothing half-written."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            yield path.relative_to(folder).as_posix(), path


def _inside(folder: Path, name: str) -> Path:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\\" in name or ":" in name:
        raise ValueError(f"{name[:100]!r} is no place in a run's folder")
    return folder.joinpath(*pure.parts)
