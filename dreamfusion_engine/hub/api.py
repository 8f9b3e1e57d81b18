"""What is asked of the hub over HTTP, and its refusals as the engine's errors.

The hub's documented addresses: /api/models/<id>/revision/<name> names the commit, /api/models/<id>/tree/<commit> lists
its files with sizes and hashes, /<id>/resolve/<commit>/<path> leads to a file's content, often on another host.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import PurePosixPath
from typing import Any

from dreamfusion_engine import __version__
from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.hub.address import HubAddress
from dreamfusion_engine.hub.repository_cache import RemoteFile

TIMEOUT_S = 20.0  # without a byte
ANSWER_LIMIT = 64 << 20  # bytes of one JSON answer
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[\w][\w./-]*")
_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')


@dataclass(frozen=True)
class Listing:
    """One commit of a model: its files by path, and the licence that its card names ('' for none)."""

    commit: str
    files: dict[str, RemoteFile]
    license: str = ""


def read_listing(address: HubAddress, repository: str, revision: str = "main") -> Listing:
    """Every file of a revision. Raises SetupError model.not_found, model.gated, model.token, model.network."""
    if not _NAME.fullmatch(revision) or ".." in revision:
        raise InputError(
            "input.model",
            what=f"{revision!r} is not the name of a revision.",
            why="A revision is a branch, a tag or a commit of the model at the hub.",
            fix="Leave --revision out for the newest.",
        )
    base = f"{address.endpoint}/api/models/{urllib.parse.quote(repository)}"
    about, _ = _json(address, f"{base}/revision/{urllib.parse.quote(revision, safe='')}", repository)
    commit = about.get("sha") if isinstance(about, dict) else None
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise _nonsense(address, f"It names no commit of {repository}.")
    files: dict[str, RemoteFile] = {}
    url: str | None = f"{base}/tree/{commit}?recursive=true"
    while url is not None:
        lines, url = _json(address, url, repository)
        files |= {file.path: file for file in _files(address, lines)}
    return Listing(commit, files, _license(about))


def _license(about: Mapping[str, Any]) -> str:
    """By the model's card, or by its tags."""
    card, tags = about.get("cardData"), about.get("tags")
    named = card.get("license_name") or card.get("license") if isinstance(card, dict) else None
    if isinstance(named, str):
        return named
    tagged = [str(tag) for tag in tags if str(tag).startswith("license:")] if isinstance(tags, list) else []
    return tagged[0].removeprefix("license:") if tagged else ""


def file_url(address: HubAddress, repository: str, commit: str, path: str) -> str:
    """Where the content of a file is asked for."""
    return f"{address.endpoint}/{urllib.parse.quote(repository)}/resolve/{commit}/{urllib.parse.quote(path)}"


@contextlib.contextmanager
def opened(
    address: HubAddress, url: str, repository: str, headers: Mapping[str, str] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """The answer to a GET, open for reading. Every refusal and every trouble on the way is a SetupError."""
    request = urllib.request.Request(
        url, headers={"User-Agent": f"dreamfusion-engine/{__version__}", **(headers or {})}
    )
    if address.token and urllib.parse.urlsplit(url).netloc == urllib.parse.urlsplit(address.endpoint).netloc:
        # Unredirected: the content often lies on another host, which must not learn the token.
        request.add_unredirected_header("Authorization", f"Bearer {address.token}")
    handlers = [_SameHost(address), urllib.request.HTTPSHandler(context=_certificates())]
    try:
        response = urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(address, repository, error.code, error.headers) from None
    except (OSError, http.client.HTTPException) as error:
        raise unreachable(address, error) from error
    with response:
        yield response


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Redirects, on which the token stays with the endpoint's own host (a renamed model, say)."""

    def __init__(self, address: HubAddress) -> None:
        self._address = address

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        fresh = super().redirect_request(req, fp, code, msg, headers, newurl)
        home = urllib.parse.urlsplit(self._address.endpoint)
        there = urllib.parse.urlsplit(newurl)
        if fresh is not None and self._address.token and (there.scheme, there.netloc) == (home.scheme, home.netloc):
            fresh.add_unredirected_header("Authorization", f"Bearer {self._address.token}")
        return fresh


@functools.cache
def _certificates() -> ssl.SSLContext:
    context = ssl.create_default_context()
    with contextlib.suppress(ImportError):  # a Python that came without certificates, as on macOS, needs these
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _json(address: HubAddress, url: str, repository: str) -> tuple[Any, str | None]:
    """The answer, and the address of its next page where there is one."""
    with opened(address, url, repository) as response:
        try:
            content = response.read(ANSWER_LIMIT)
            answer = json.loads(content)
        except ValueError as error:
            raise _nonsense(address, f"It is not JSON: {str(error)[:100]}") from error
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(address, error) from error
        following = _NEXT.search(response.headers.get("Link") or "")
    return answer, urllib.parse.urljoin(url, following[1]) if following else None


def _files(address: HubAddress, lines: Any) -> Iterator[RemoteFile]:
    if not isinstance(lines, list):
        raise _nonsense(address, "It lists no files.")
    for line in lines:
        try:
            if line["type"] != "file":
                continue
            path, large = str(line["path"]), line.get("lfs") or {}
            file = RemoteFile(path, int(line["size"]), str(line["oid"]), str(large.get("oid") or ""))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _nonsense(address, "It lists files in a way that cannot be read.") from error
        hashes = re.fullmatch(r"[0-9a-f]{40}", file.oid) and re.fullmatch(r"([0-9a-f]{64})?", file.sha256)
        steps = PurePosixPath(path).parts
        if (
            not hashes
            or file.size < 0
            or path.startswith("/")
            or ".." in steps
            or re.search(r'[\\:*?"<>|\x00-\x1f]', path)
        ):
            raise _nonsense(address, f"It lists a file {path[:80]!r} that cannot be kept.")
        yield file


def unreachable(address: HubAddress, error: BaseException) -> SetupError:
    """The error for a hub that does not answer, or stops in the middle."""
    reason = getattr(error, "reason", None) or error
    said = str(getattr(reason, "strerror", None) or reason).strip() or type(error).__name__
    return SetupError(
        "model.network",
        what="The model hub could not be reached.",
        why=f"{urllib.parse.urlsplit(address.endpoint).netloc}: {said[:200]}",
        fix="Check the network, and the proxy (HTTPS_PROXY) or mirror (HF_ENDPOINT) if there is one; then give the "
        "same command again: it goes on where it stopped.",
    )


def _nonsense(address: HubAddress, why: str) -> SetupError:
    return SetupError(
        "model.network",
        what="The model hub's answer makes no sense.",
        why=f"{urllib.parse.urlsplit(address.endpoint).netloc}: {why}",
        fix="Something between here and the hub may answer in its place, such as a login page: check the network and "
        "HF_ENDPOINT.",
    )


def _refusal(address: HubAddress, repository: str, status: int, headers: Message) -> SetupError:
    """The error for an HTTP status, by the code that the hub gives beside it."""
    code = headers.get("X-Error-Code") or ""
    page = address.page(repository)
    if code == "GatedRepo" or (status == 403 and not code):
        return SetupError(
            "model.gated",
            what=f"The model '{repository}' asks you to accept its licence first.",
            why="The token's account has not been given access, or the token may not read gated models."
            if address.token
            else "No token was given (HF_TOKEN).",
            fix=f"Log in at {page}, accept the licence there, "
            + (
                "and try again once access is given."
                if address.token
                else "and set HF_TOKEN to a token of that account."
            ),
        )
    if status == 401 and address.token and code != "RepoNotFound":
        return SetupError(
            "model.token",
            what="The model hub does not accept the token.",
            why="HF_TOKEN holds a token that is not valid, or no longer.",
            fix="Make a new one in the settings of your account at the hub, or unset HF_TOKEN for open models.",
        )
    if code in ("RevisionNotFound", "EntryNotFound"):
        missing = "revision" if code == "RevisionNotFound" else "file"
        return SetupError(
            "model.not_found",
            what=f"The model '{repository}' has no such {missing}.",
            why="The hub knows the model, but not what was asked of it.",
            fix=f"Leave --revision out, or look at {page}",
        )
    if status in (401, 404, 410):
        return SetupError(
            "model.not_found",
            what=f"The hub has no model '{repository}'.",
            why="The name is misspelt, or the model was withdrawn, or it is private"
            + (" to another account." if address.token else " and no token was given (HF_TOKEN)."),
            fix="Check the name, or see `dreamfusion-engine models` for models that are known to be there.",
        )
    if status == 429:
        why = "It answers too many requests from here, and asks to wait."
    else:
        why = f"It answers with the status {status}."
    return SetupError(
        "model.network",
        what="The model hub cannot answer now.",
        why=f"{urllib.parse.urlsplit(address.endpoint).netloc}: {why}",
        fix="Wait a few minutes and give the same command again: it goes on where it stopped.",
    )
