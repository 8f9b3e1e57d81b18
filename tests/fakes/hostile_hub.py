"""A hub on this machine that says what a test wants it to say, as slowly and as long as the test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c0ffee" * 6 + "c0de"
ABOUT = b'{"sha": "%s"}' % COMMIT.encode()


@dataclass
class HostileHub:
    """listing: what a page of files is, by its number, with its Link header. about: the answer on the model itself.

    drip: bytes of blanks that are the answer on the model, if any; 20 come a second, until the block ends. dripped: how
    many have come. asked: paths, with the token.
    """

    listing: Callable[[int], tuple[bytes, str]] = lambda page: (b"[]", "")
    about: bytes = ABOUT
    redirect: str = ""  # of every question
    drip: int = 0
    dripped: int = 0
    address: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running_hostile_hub(hub: HostileHub) -> Iterator[HostileHub]:
    """Serve until the end of the block; `hub.address` is where."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.asked.append((self.path, self.headers.get("Authorization")))
            if hub.redirect:
                self.answer(302, b"", ("Location", hub.redirect))
            elif "/tree/" in self.path:
                content, link = hub.listing(int(self.path.partition("page=")[2] or 0))
                self.answer(200, content, ("Link", link))
            elif hub.drip:
                self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {hub.drip}\r\n\r\n".encode())
                while hub.dripped < hub.drip and not hub.over.wait(0.05):
                    self.wfile.write(b" ")
                    hub.dripped += 1
            else:
                self.answer(200, hub.about, ("Link", ""))

        def answer(self, status: int, content: bytes, header: tuple[str, str]) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if header[1]:
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Quiet: those who ask break the connection, as they should."""

    server = Server(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
