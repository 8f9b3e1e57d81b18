"""Fetch one file from the hub: resume it where it stopped, and accept it only after its hash is right."""

from __future__ import annotations

import http.client
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.hub.address import HubAddress
from dreamfusion_engine.hub.connection import opened, unreachable
from dreamfusion_engine.hub.repository_cache import RemoteFile
from dreamfusion_engine.machine.atomic_file import move_into_place
from dreamfusion_engine.machine.disk import disk_full, is_full

RETRIES = 5  # in a row, without one new byte
PAUSE_S = 1.0  # before the first retry; it doubles
_PIECE = 1 << 18
_RANGE = re.compile(r"bytes (\d+)-")

Seen = Callable[[int], None]  # told of bytes as they arrive, or taken back (negative); raises to stop


@dataclass(frozen=True)
class Source:
    """Where one file comes from."""

    address: HubAddress
    repository: str
    url: str
    file: RemoteFile
    stop: Callable[[], bool]  # whether to give up; asked by a second thread, so that a silent connection ends too


def fetch(source: Source, partial: Path, whole: Path, *, seen: Seen, kept: Seen) -> None:
    """Download a file to `partial`, and move it to `whole` once its hash is right.

    After an error `partial` stays for the next try.

    source: Source of the file.
    partial, whole: Paths.
    seen: told of bytes that arrive.
    kept: told of bytes that an earlier try left in `partial`.
    Raises SetupError model.network after some retries without a new byte, model.damaged where the content is wrong
        twice.
    Raises InputError input.disk_full, input.model_folder, and whatever `seen` and `kept` raise.
    """
    file = source.file
    for attempt in (1, 2):
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
            hasher = _arrive(source, partial, seen, kept)
            if hasher.hexdigest() == file.blob:
                move_into_place(partial, whole)
                return
            partial.unlink()
        except OSError as error:
            raise disk_error(partial, error) from error
        if attempt == 1:
            seen(-file.size)
    raise SetupError(
        "model.damaged",
        what="The download arrived damaged, twice.",
        why=f"{file.path} of {source.repository} has another checksum than the hub says.",
        fix="A proxy or virus scanner on the way may change it: try another network. Nothing broken was kept.",
    )


def _arrive(source: Source, partial: Path, seen: Seen, kept: Seen) -> Any:
    """Everything that is missing in `partial`. Returns what its content was fed to."""
    file = source.file
    with partial.open("ab+") as out:
        if out.tell() > file.size:
            out.truncate(0)
        out.seek(0)
        hasher = file.hasher()
        while block := out.read(_PIECE):
            hasher.update(block)
            kept(len(block))
        failures = 0
        while out.tell() < file.size:
            before = out.tell()
            trouble: SetupError | None = None
            try:
                hasher = _more(source, out, hasher, seen)
            except SetupError as error:
                if error.code != "model.network":
                    raise
                trouble = error
            if out.tell() > before:
                failures = 0
            elif failures == RETRIES:
                raise trouble or unreachable(source.address, ConnectionError("the connection ends before the file"))
            else:
                _wait(PAUSE_S * 2**failures, seen)
                failures += 1
        out.flush()
        os.fsync(out.fileno())
    return hasher


def _more(source: Source, out: BinaryIO, hasher: Any, seen: Seen) -> Any:
    """One connection's worth of bytes, to its end or to where it breaks. Returns what the whole was fed to."""
    have, size = out.tell(), source.file.size
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with opened(source.address, source.url, source.repository, headers, stop=source.stop) as response:
        begins = _RANGE.match(response.headers.get("Content-Range") or "")
        if have and not (response.status == 206 and begins and int(begins[1]) == have):
            seen(-have)  # the server sends the file from its beginning
            out.seek(0)
            out.truncate()
            hasher, have = source.file.hasher(), 0
        while have < size:
            try:
                block = response.read1(_PIECE)[: size - have]  # longer than said has the wrong hash as well
            except (OSError, http.client.HTTPException) as error:
                raise unreachable(source.address, error) from error
            if not block:
                seen(0)  # raises when the end was wanted
                break
            out.write(block)
            hasher.update(block)
            have += len(block)
            seen(len(block))
    return hasher


def _wait(seconds: float, seen: Seen) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        seen(0)
        time.sleep(min(0.1, seconds))


def disk_error(place: Path, error: OSError) -> InputError:
    """Build the error for what the file system refused.

    place: Path that was to be written.
    error: OSError.
    """
    if is_full(error):
        return disk_full(
            f"{place.parent}: {error.strerror or error}",
            "Make room and give the same command again: it goes on where it stopped. Or keep models on another disk: "
            "set HF_HUB_CACHE to a folder there.",
        )
    return InputError(
        "input.model_folder",
        what="The folder for downloaded models cannot be used.",
        why=f"{error.filename or place}: {error.strerror or error}",
        fix="Change its permissions, or set HF_HUB_CACHE to another folder.",
    )
