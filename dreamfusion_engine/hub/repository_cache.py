"""One model's files on this machine, laid out as the hub's own tools do, so that both find each other's downloads.

<cache>/models--owner--name/
  blobs/<sha256 or git oid>         the content, under its own hash: so that a broken file is known by its name
  snapshots/<commit>/unet/...       links into blobs, under the files' names
  refs/main                         the commit that 'main' stood for
  trees/<commit>.json               every file of the commit with size and hash
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dreamfusion_engine.hub.address import is_hub_id
from dreamfusion_engine.machine.atomic_file import move_into_place
from dreamfusion_engine.wire.bounded_json import read_json_file

_COMMIT = re.compile(r"[0-9a-f]{40}")
_TREE_FORMAT = 1
_TREE_BYTES = 32 << 20  # of a list of files
_BLOCK = 1 << 20
_LARGEST = 1 << 50  # bytes of a file
_LONGEST = 1000  # characters of a path
_UNUSABLE = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f-\x9f]')  # Windows, or a terminal, takes these for something else


@dataclass(frozen=True)
class RemoteFile:
    """One file of a commit.

    path: str, inside the repository.
    size: int, bytes.
    oid: str, its git hash.
    sha256: str, of its content; '' for small text files.
    """

    path: str
    size: int
    oid: str
    sha256: str = ""

    @property
    def blob(self) -> str:
        """The name of its content in the cache."""
        return self.sha256 or self.oid

    def hasher(self) -> Any:
        """Return the hash object to feed its content to."""
        return hashlib.sha256() if self.sha256 else hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)


def remote_file(path: Any, size: Any, oid: Any, sha256: Any) -> RemoteFile:
    """A file as it was listed. Raises TypeError for fields of another kind, ValueError with its name for one that can
    have no place below a folder, or no content."""
    if not all(isinstance(text, str) for text in (path, oid, sha256)) or type(size) is not int:
        raise TypeError("not a file's line")
    hashes = re.fullmatch(r"[0-9a-f]{40}", oid) and re.fullmatch(r"([0-9a-f]{64})?", sha256)
    away = path.startswith("/") or ".." in PurePosixPath(path).parts or not PurePosixPath(path).parts
    if not hashes or not 0 <= size < _LARGEST or away or len(path) > _LONGEST or _UNUSABLE.search(path):
        raise ValueError(repr(path[:80]))
    return RemoteFile(path, size, oid, sha256)


class RepositoryCache:
    """The folder of one model. Nothing is made before something is written."""

    def __init__(self, cache: Path, repository: str) -> None:
        self.repository = repository
        self.folder = cache / f"models--{repository.replace('/', '--')}"

    def commit(self, revision: str = "main") -> str | None:
        """Return the commit of a revision on this machine; None if it was never downloaded completely."""
        if _COMMIT.fullmatch(revision):
            return revision
        try:
            found = (self.folder / "refs" / revision).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return None
        return found if _COMMIT.fullmatch(found) else None

    def snapshot(self, revision: str = "main") -> Path | None:
        """Return the folder with the files of a revision; None where there is none."""
        commit = self.commit(revision)
        if commit is None or not (self.folder / "snapshots" / commit).is_dir():
            return None
        return self.folder / "snapshots" / commit

    def unfinished(self) -> bool:
        """Return whether a download began and did not end."""
        return any((self.folder / "blobs").glob("*.incomplete")) if (self.folder / "blobs").is_dir() else False

    def blob(self, file: RemoteFile) -> Path:
        """Where the content of a file is, or will be."""
        return self.folder / "blobs" / file.blob

    def partial(self, file: RemoteFile) -> Path:
        """Where the content is while it arrives."""
        return self.folder / "blobs" / f"{file.blob}.incomplete"

    def path(self, commit: str, file: RemoteFile) -> Path:
        """Where a file of a commit is found under its own name.

        commit: str, 40 hex digits.
        file: RemoteFile.
        """
        return self.folder / "snapshots" / commit / PurePosixPath(file.path)

    def listing(self, commit: str) -> dict[str, RemoteFile] | None:
        """Every file of a commit, None where it is not known or cannot be read."""
        try:
            values = read_json_file(self.folder / "trees" / f"{commit}.json", limit=_TREE_BYTES)
            if values["format_version"] != _TREE_FORMAT:
                return None
            return {
                path: remote_file(path, line["size"], line["blob_id"], line.get("lfs_sha256") or "")
                for path, line in values["files"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def keep_listing(self, commit: str, files: Mapping[str, RemoteFile]) -> None:
        """Store the list of a commit's files.

        commit: str, 40 hex digits.
        files: RemoteFiles by path.
        """
        lines: dict[str, dict[str, Any]] = {}
        for path in sorted(files):
            file = files[path]
            lines[path] = {"size": file.size, "blob_id": file.oid}
            if file.sha256:
                lines[path] |= {"lfs_sha256": file.sha256, "lfs_size": file.size}
        content = json.dumps({"format_version": _TREE_FORMAT, "files": lines}, indent=1)
        self._write(self.folder / "trees" / f"{commit}.json", content)

    def keep_commit(self, revision: str, commit: str) -> None:
        """Store the commit of a revision, which makes its files findable.

        revision: str, a branch, a tag or a commit.
        commit: str, 40 hex digits.
        """
        if revision != commit:
            self._write(self.folder / "refs" / revision, commit)

    def place(self, commit: str, file: RemoteFile) -> None:
        """Make a downloaded file findable under its own name: a link, or where links cannot be made the file itself.

        commit: str, 40 hex digits.
        file: RemoteFile whose content is there.
        """
        blob, path = self.blob(file), self.path(commit, file)
        if not blob.exists() or (path.exists() and os.path.samefile(path, blob)):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        try:
            path.symlink_to(os.path.relpath(blob, path.parent))
        except OSError:  # Windows without the right to make links, or a file system that has none
            try:
                os.link(blob, path)
            except OSError:
                shutil.move(blob, path)

    def content(self, commit: str, file: RemoteFile) -> Path | None:
        """The file's content on this machine, None where there is none or its size is wrong.

        commit: str, 40 hex digits.
        file: RemoteFile.
        """
        for path in (self.blob(file), self.path(commit, file)):
            if path.is_file() and path.stat().st_size == file.size:
                return path
        return None

    def forget(self, commit: str, file: RemoteFile) -> None:
        """Remove a file's content, because it is broken.

        commit: str, 40 hex digits.
        file: RemoteFile.
        """
        for path in (self.path(commit, file), self.blob(file)):
            path.unlink(missing_ok=True)

    def _write(self, path: Path, content: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
        fresh.unlink(missing_ok=True)  # a killed process's of the same number, or a link that leads elsewhere
        try:
            with fresh.open("x", encoding="utf-8") as stream:
                stream.write(content)
            move_into_place(fresh, path)
        finally:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)


def cached_repositories(cache: Path) -> list[str]:
    """Return the ids of the models of which something is in a cache folder, in order."""
    try:
        folders = [folder.name for folder in cache.glob("models--*--*")]
    except OSError:  # a folder that cannot be read has no models; a run that wants one of them says why
        return []
    names = (name.removeprefix("models--").replace("--", "/", 1) for name in folders)
    return sorted(name for name in names if is_hub_id(name))


def content_is_whole(path: Path, file: RemoteFile, seen: Callable[[int], None]) -> bool:
    """Return whether a file's content has its hash.

    path: Path of the content.
    file: RemoteFile.
    seen: told of every block's length; may raise, to stop.
    """
    hasher = file.hasher()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            hasher.update(block)
            seen(len(block))
    return bool(hasher.hexdigest() == file.blob)
