"""One request to the hub over HTTP: allowed hosts, the token, time limits, and refusals.

Every failure on the way becomes one of the engine's own errors.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from typing import Any

from dreamfusion_engine import __version__
from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.hub.address import HubAddress
from dreamfusion_engine.inputs.outside_text import shown

TIMEOUT_S = 20.0  # without a byte
_LOOK_S = 0.25  # between two looks whether to go on


@contextlib.contextmanager
def opened(
    address: HubAddress,
    url: str,
    repository: str,
    headers: Mapping[str, str] | None = None,
    *,
    stop: Callable[[], bool] = lambda: False,
    until: float | None = None,
) -> Iterator[http.client.HTTPResponse]:
    """Open the answer to a GET for reading.

    address: HubAddress.
    url: str.
    repository: str, hub id, for errors.
    headers: to send besides the engine's own.
    stop: whether to give up; asked by a second thread, so that a silent connection ends too.
    until: time.monotonic() at which the connection is broken, however slowly it still gives.
    Raises SetupError for every refusal and every failure.
    """
    _check_allowed(address, url)
    request = urllib.request.Request(
        url, headers={"User-Agent": f"dreamfusion-engine/{__version__}", **(headers or {})}
    )
    if address.token and address.is_own(url):
        # Unredirected: the content often lies on another host, which must not learn the token.
        request.add_unredirected_header("Authorization", f"Bearer {address.token}")
    with _watched(stop, until) as watch:
        opener = urllib.request.build_opener(_Redirects(address), _Http(watch), _Https(watch))
        try:
            response = opener.open(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(address, repository, error.code, error.headers) from None
        except (OSError, http.client.HTTPException) as error:
            late = until is not None and time.monotonic() > until
            raise unreachable(address, TimeoutError("it answers too slowly") if late else error) from error
        watch.response = response
        with response:
            yield response


class _Watch:
    """The connection of one request, which a second thread can break."""

    def __init__(self) -> None:
        self.connections: list[http.client.HTTPConnection] = []  # one more with each redirect
        self.response: http.client.HTTPResponse | None = None

    def kept(self, connection_class: type[http.client.HTTPConnection]) -> Callable[..., http.client.HTTPConnection]:
        """A maker of connections that can be found again."""

        def make(host: str, **words: Any) -> http.client.HTTPConnection:
            connection = connection_class(host, **words)
            self.connections.append(connection)
            return connection

        return make

    def cut(self) -> None:
        """Break whatever is open: who waits for it goes on at once."""
        for open_one in (self.response, *(connection.sock for connection in self.connections)):
            if open_one is None:
                continue
            try:
                with socket.fromfd(open_one.fileno(), socket.AF_INET, socket.SOCK_STREAM) as same:
                    same.shutdown(socket.SHUT_RDWR)
            except (OSError, ValueError):
                continue  # it has ended by itself meanwhile


@contextlib.contextmanager
def _watched(stop: Callable[[], bool], until: float | None) -> Iterator[_Watch]:
    watch, over = _Watch(), threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_S):
            if stop() or (until is not None and time.monotonic() > until):
                watch.cut()  # and again, until it is over: a connection may just be opening

    watcher = threading.Thread(target=look, name="hub-watch", daemon=True)
    watcher.start()
    try:
        yield watch
    finally:
        over.set()
        watcher.join()


class _Http(urllib.request.HTTPHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._watch.kept(http.client.HTTPConnection), req)  # type: ignore[arg-type]


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__(context=_certificates())
        self._watch = watch

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        make: Any = self._watch.kept(http.client.HTTPSConnection)
        return self.do_open(make, req, context=_certificates())


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Redirects, on which the token stays with the endpoint itself (a renamed model, say), and https stays https."""

    def __init__(self, address: HubAddress) -> None:
        self._address = address

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _check_allowed(self._address, newurl)
        fresh = super().redirect_request(req, fp, code, msg, headers, newurl)
        if fresh is not None and self._address.token and self._address.is_own(newurl):
            fresh.add_unredirected_header("Authorization", f"Bearer {self._address.token}")
        return fresh


@functools.cache
def _certificates() -> ssl.SSLContext:
    context = ssl.create_default_context()
    with contextlib.suppress(ImportError):  # a Python that came without certificates, as on macOS, needs these
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _check_allowed(address: HubAddress, url: str) -> None:
    if address.may_ask(url):
        return
    if not address.may_ask(address.endpoint):
        raise SetupError(
            "model.network",
            what="The address of the model hub cannot be used.",
            why=f"HF_ENDPOINT is {shown(address.endpoint)!r}; only https is spoken, and http with this machine itself.",
            fix="Give the mirror's https address, or unset HF_ENDPOINT for the hub itself.",
        )
    raise nonsense(address, f"It leads to {shown(url)!r}, and only https is followed.")


def unreachable(address: HubAddress, error: BaseException) -> SetupError:
    """Build the error for a hub that does not answer, or stops in the middle.

    address: HubAddress that was asked.
    error: BaseException of the connection.
    """
    reason = getattr(error, "reason", None) or error
    said = str(getattr(reason, "strerror", None) or reason).strip() or type(error).__name__
    return SetupError(
        "model.network",
        what="The model hub could not be reached.",
        why=f"{_host(address)}: {said[:200]}",
        fix="Check the network, and the proxy (HTTPS_PROXY) or mirror (HF_ENDPOINT) if there is one; then give the "
        "same command again: it goes on where it stopped.",
    )


def nonsense(address: HubAddress, why: str) -> SetupError:
    """Build the error for an answer that makes no sense.

    address: HubAddress that answered.
    why: str, what is wrong with the answer.
    """
    return SetupError(
        "model.network",
        what="The model hub's answer makes no sense.",
        why=f"{_host(address)}: {why}",
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
        why=f"{_host(address)}: {why}",
        fix="Wait a few minutes and give the same command again: it goes on where it stopped.",
    )


def _host(address: HubAddress) -> str:
    return shown(urllib.parse.urlsplit(address.endpoint).netloc.rpartition("@")[2])
