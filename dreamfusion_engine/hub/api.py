"""The hub's facts about a model: its commit, its files with sizes and hashes, its licence.

The hub's documented addresses: /api/models/<id>/revision/<name> names the commit, /api/models/<id>/tree/<commit> lists
its files with sizes and hashes, /<id>/resolve/<commit>/<path> leads to a file's content, often on another host.
"""

from __future__ import annotations

import http.client
import re
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dreamfusion_engine.errors import InputError
from dreamfusion_engine.hub.address import HubAddress
from dreamfusion_engine.hub.connection import nonsense, opened, unreachable
from dreamfusion_engine.hub.repository_cache import RemoteFile, remote_file
from dreamfusion_engine.inputs.outside_text import shown
from dreamfusion_engine.wire.bounded_json import UnsafeJson, parse_json

ANSWER_LIMIT = 8 << 20  # bytes of one JSON answer; a page of the hub's has 300 KB
PAGES = 100  # of a listing, with a thousand files each
FILES_LIMIT = 100_000  # of a model; pipelines have a hundred
LISTING_S = 60.0  # for all answers together
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[\w][\w./-]*")
_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')


@dataclass(frozen=True)
class Listing:
    """One commit of a model.

    commit: str.
    files: path to RemoteFile.
    license: str, as its card names it; '' for none.
    """

    commit: str
    files: dict[str, RemoteFile]
    license: str = ""


def read_listing(
    address: HubAddress,
    repository: str,
    revision: str = "main",
    *,
    check: Callable[[int], None] = lambda count: None,
    stop: Callable[[], bool] = lambda: False,
) -> Listing:
    """Return every file of a revision, within a minute.

    address: HubAddress.
    repository: str, hub id.
    revision: str, such as 'main'.
    check: called between two answers; raises to stop.
    stop: whether to break off an answer, after which `check` is asked.
    Raises SetupError model.not_found, model.gated, model.token, model.network.
    """
    if not _NAME.fullmatch(revision) or ".." in revision:
        raise InputError(
            "input.model",
            what=f"{shown(revision)!r} is not the name of a revision.",
            why="A revision is a branch, a tag or a commit of the model at the hub.",
            fix="Leave --revision out for the newest.",
        )
    until = time.monotonic() + LISTING_S

    def ask(url: str) -> tuple[Any, str | None]:
        try:
            return _json(address, url, repository, stop, until)
        finally:
            check(0)

    base = f"{address.endpoint}/api/models/{urllib.parse.quote(repository)}"
    about, _ = ask(f"{base}/revision/{urllib.parse.quote(revision, safe='')}")
    commit = about.get("sha") if isinstance(about, dict) else None
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise nonsense(address, f"It names no commit of {repository}.")
    files: dict[str, RemoteFile] = {}
    url: str | None = f"{base}/tree/{commit}?recursive=true"
    pages = 0
    while url is not None:
        lines, url = ask(url)
        files |= {file.path: file for file in _files(address, lines)}
        pages += 1
        if len(files) > FILES_LIMIT or (url is not None and pages == PAGES):
            raise nonsense(address, f"It lists more files of {repository} than any model has.")
    return Listing(commit, files, _license(about))


def _license(about: Mapping[str, Any]) -> str:
    """By the model's card, or by its tags."""
    card, tags = about.get("cardData"), about.get("tags")
    named = card.get("license_name") or card.get("license") if isinstance(card, dict) else None
    if isinstance(named, str):
        return shown(named, 100)
    tagged = [str(tag) for tag in tags if str(tag).startswith("license:")] if isinstance(tags, list) else []
    return shown(tagged[0].removeprefix("license:"), 100) if tagged else ""


def file_url(address: HubAddress, repository: str, commit: str, path: str) -> str:
    """Return the address of a file's content.

    address: HubAddress.
    repository: str, owner/name.
    commit: str, 40 hex digits.
    path: str, inside the repository.
    """
    return f"{address.endpoint}/{urllib.parse.quote(repository)}/resolve/{commit}/{urllib.parse.quote(path)}"


def _json(
    address: HubAddress, url: str, repository: str, stop: Callable[[], bool], until: float
) -> tuple[Any, str | None]:
    """The answer, and the address of its next page where there is one."""
    content = bytearray()
    with opened(address, url, repository, stop=stop, until=until) as response:
        try:
            while len(content) <= ANSWER_LIMIT and (piece := response.read1(1 << 16)):
                content += piece
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(address, error) from error
        link = response.headers.get("Link") or ""
    if time.monotonic() > until:
        raise unreachable(address, TimeoutError("it answers too slowly"))
    if len(content) > ANSWER_LIMIT:
        raise nonsense(address, f"It is larger than {ANSWER_LIMIT:,} bytes.")
    try:
        answer = parse_json(bytes(content))
    except UnsafeJson as error:
        raise nonsense(address, f"It cannot be read: {shown(str(error), 100)}") from error
    following = _NEXT.search(link)
    further = urllib.parse.urljoin(url, following[1]) if following else None
    if further is not None and not address.is_own(further):
        raise nonsense(address, f"Its list of files goes on at another place: {shown(further)}")
    return answer, further


def _files(address: HubAddress, lines: Any) -> Iterator[RemoteFile]:
    if not isinstance(lines, list):
        raise nonsense(address, "It lists no files.")
    for line in lines:
        try:
            if line["type"] != "file":
                continue
            large = line.get("lfs") or {}
            file = remote_file(line["path"], line["size"], line["oid"], large.get("oid") or "")
        except (KeyError, TypeError, AttributeError) as error:
            raise nonsense(address, "It lists files in a way that cannot be read.") from error
        except ValueError as error:
            raise nonsense(address, f"It lists a file {error} that cannot be kept.") from error
        yield file
