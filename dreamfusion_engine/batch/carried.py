"""Models and adapters that a command names, carried to machines that do not have them. Each is known by its content."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.inputs.given_path import CARRIED
from dreamfusion_engine.models.pipeline_folder import STARTER, locate_model, sha256_of

PIECE = 64 << 20  # bytes that travel at a time
_DONE = ".whole"


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A file or folder that was given.

    given: str, as the command names it.
    folder: str, path of the folder that its files lie in.
    single: str, name of the single file; '' for a folder.
    digest: str, of its files' names and content.
    files: [path within the folder, bytes, SHA-256] each.
    """

    given: str
    folder: str
    single: str
    digest: str
    files: list[list[Any]]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def parcels_of(config: GenerateConfig) -> list[Parcel]:
    """Return what a run reads besides the engine: models, bases, adapters, judge, tiny VAE; nothing that is built in.

    config: GenerateConfig of a run whose files have been found good.
    Raises OSError.
    """
    names = [config.base, config.texture.base, config.judge, config.memory.tiny_vae, *config.adapters.embeddings]
    names += [file for file, _ in config.adapters.lora]
    paths = {name: Path(os.path.expanduser(name)) for name in names if name}
    found = {name: path for name, path in paths.items() if path.exists()}  # the others are built in, or of the hub
    for model, base in ((config.model, config.base), (config.texture.model, config.texture.base)):
        if model not in ("", STARTER):
            path = Path(os.path.expanduser(model))
            found[model] = path if path.exists() else locate_model(model, base)
    return [parcel(given, source) for given, source in found.items()]


def parcel(given: str, source: Path) -> Parcel:
    """Return what a file or folder holds.

    given: str, as the command names it.
    source: Path.
    Raises OSError.
    """
    single = "" if source.is_dir() else source.name
    folder = source.parent if single else source
    paths = [source] if single else sorted(path for path in source.rglob("*") if path.is_file())
    files = [[path.relative_to(folder).as_posix(), path.stat().st_size, sha256_of(path)] for path in paths]
    digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    return Parcel(given=given, folder=str(folder), single=single, digest=digest, files=files)


def pieces(parcel: Parcel) -> Iterator[tuple[str, int, bytes]]:
    """Yield the content in pieces: path within the folder, offset, bytes.

    parcel: Parcel on this machine.
    Raises OSError.
    """
    for name, size, _ in parcel.files:
        if size == 0:
            yield name, 0, b""
        with (Path(parcel.folder) / name).open("rb") as stream:
            while piece := stream.read(PIECE):
                yield name, stream.tell() - len(piece), piece


class Shelf:
    """Where a machine keeps what was carried to it.

    folder: Path.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, parcel: Parcel) -> Path:
        """Return where a parcel lies or will lie: a folder, or the single file.

        parcel: Parcel of another machine.
        """
        return self._folder / parcel.digest[:32] / parcel.single

    def has(self, parcel: Parcel) -> bool:
        """Return whether a parcel is there as a whole.

        parcel: Parcel.
        """
        return (self._folder / parcel.digest[:32] / _DONE).is_file()

    def begin(self, parcel: Parcel) -> None:
        """Make room for a parcel that is not there as a whole.

        parcel: Parcel.
        Raises OSError.
        """
        shutil.rmtree(self._folder / parcel.digest[:32], ignore_errors=True)
        (self._folder / parcel.digest[:32]).mkdir(parents=True)

    def take(self, parcel: Parcel, name: str, offset: int, piece: bytes) -> None:
        """Write a piece.

        parcel: Parcel.
        name, offset, piece: as `pieces` yields them.
        Raises OSError; ValueError for a file that is not of the parcel.
        """
        if name not in {entry[0] for entry in parcel.files} or ".." in Path(name).parts:
            raise ValueError(f"{name[:100]!r} is not of this parcel")
        path = self._folder / parcel.digest[:32] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab" if offset else "wb") as stream:
            stream.write(piece)

    def close(self, parcel: Parcel) -> None:
        """Check a parcel that has arrived, and call it whole.

        parcel: Parcel.
        Raises OSError; ValueError where a file is not what was sent.
        """
        base = self._folder / parcel.digest[:32]
        for name, _, expected in parcel.files:
            if sha256_of(base / name) != expected:
                raise ValueError(f"{name} arrived damaged")
        (base / _DONE).touch()


def carried_variable(places: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that tells a run where what was given lies on this machine.

    places: as given -> path here.
    """
    return {CARRIED: json.dumps(dict(places))} if places else {}
