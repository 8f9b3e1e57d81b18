"""Embeddings kept on disk. A text encoder, often the largest part of a model, then need not load again.

An entry holds all the texts of a run together, in one safetensors file: a text encoded alone may differ in its last
bits from the same text encoded beside others, and a run must give the same mesh whatever the cache holds. The entry's
name is the SHA-256 of the model's files, of what else decides the numbers, and of the texts. The texts are not stored.
An entry that is damaged is ignored and written again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.guidance.prompt_conditioning import Encode
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.cache_folder import FOLDER_VARIABLE
from dreamfusion_engine.models.teacher import Conditioning

LIMIT_BYTES = 512 << 20  # of all entries: ten runs of a large model, thousands of the built-in one
_SUFFIX = ".safetensors"
_CHECKSUM = "sha256"


def model_digest(folder: Path, *, precision: str, device: torch.device) -> str:
    """Return the SHA-256, in hex, of everything that decides an embedding besides the texts.

    This is the path, size and time of every file of the model; the precision it computes in; the kind of device, the
    number of threads and the versions of the libraries. A file whose content changes without its time or size is not
    noticed.

    folder: Path of the model.
    precision: str, what the model computes in.
    device: torch.device, where it computes.
    """
    from importlib import metadata

    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = [(str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    versions = [metadata.version(name) for name in ("torch", "transformers", "diffusers")]
    what = [str(folder.resolve()), stats, precision, device.type, torch.get_num_threads(), versions]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


class EmbeddingCache:
    """A folder of embeddings. Where it is full, the entries not used for longest are removed first.

    folder: Path of the cache.
    report: told when entries cannot be written, which costs the next run some seconds and nothing else.
    limit: int, bytes, most of all entries together.
    """

    def __init__(self, folder: Path, report: Report = lambda event: None, limit: int = LIMIT_BYTES) -> None:
        self._folder = folder
        self._report = report
        self._limit = limit

    def encode(self, encode: Encode, model: str, texts: list[str], device: torch.device) -> Conditioning:
        """Return what `encode` makes of the texts, on `device`; from the disk where the cache has it.

        encode: texts to Conditioning.
        model: str, digest of everything else that decides the embeddings.
        texts: list of str.
        device: torch.device of the result.
        """
        path = self._folder / (_entry_name(model, texts) + _SUFFIX)
        kept = _read(path)
        if kept is not None:
            return Conditioning.from_tensors(kept).to(device)
        made = encode(texts)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in made.tensors().items()}
        try:
            self._write(path, tensors)
        except OSError as error:
            self._report(
                Note(
                    code="setup.embedding_cache",
                    text=f"The prompt's embeddings could not be kept for the next run: {path.parent}: "
                    f"{error.strerror or error}. Set {FOLDER_VARIABLE} to a folder that can be written.",
                )
            )
        return made

    def _write(self, path: Path, tensors: dict[str, Tensor]) -> None:
        from safetensors.torch import save

        content = save(tensors, metadata={_CHECKSUM: _checksum(tensors)})
        if len(content) > self._limit:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._make_room(self._limit - len(content))
        write_atomically(path, content)

    def _make_room(self, most: int) -> None:
        """Remove the entries not used for longest until the others take `most` bytes at most."""
        entries = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            try:
                status = path.stat()
            except FileNotFoundError:  # another run made room meanwhile
                continue
            entries.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= most:
                break
            path.unlink(missing_ok=True)
            total -= size


def _entry_name(model: str, texts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps([model, *texts]).encode()).hexdigest()


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)} ".encode())
        digest.update(tensors[name].contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Tensor] | None:
    """The tensors of an entry, marked as used just now; None where there is none or it is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as entry:
            expected = (entry.metadata() or {}).get(_CHECKSUM)
            tensors = {name: entry.get_tensor(name) for name in entry.keys()}  # noqa: SIM118 (no iterator of its own)
    except (OSError, SafetensorError):
        return None
    if "tokens" not in tensors or _checksum(tensors) != expected:
        return None
    with contextlib.suppress(OSError):  # a cache that can only be read serves as well
        os.utime(path)
    return tensors
