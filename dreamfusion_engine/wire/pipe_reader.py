"""Read a pipe by lines and by counts, taking large pieces from the system."""

from __future__ import annotations

from typing import BinaryIO

_PIECE = 1 << 16  # bytes of one read; a read returns as soon as there are any


class PipeReader:
    """Reads an unbuffered stream for one thread, with `readline` and `read` as a file has them.

    Not io.BufferedReader: a thread that waits inside that one holds a lock that Python wants when it exits.
    """

    def __init__(self, raw: BinaryIO) -> None:
        """Read from `raw`, which is unbuffered: its `read` returns what is there, and nothing at the end."""
        self._raw = raw
        self._kept = bytearray()

    def readline(self, limit: int) -> bytes:
        """Return the bytes up to and with the next line feed, at most `limit`; fewer or none at the stream's end."""
        looked = 0
        while (end := self._kept.find(b"\n", looked, limit)) < 0 and len(self._kept) < limit:
            looked = len(self._kept)
            if not self._more():
                return self._take(looked)
        return self._take(end + 1 if end >= 0 else limit)

    def read(self, count: int) -> bytes:
        """Return the next bytes, at most `count` and as many as have arrived; none at the end of the stream."""
        if not self._kept and count > 0:
            self._more()
        return self._take(min(count, len(self._kept)))

    def _more(self) -> bool:
        piece = self._raw.read(_PIECE)
        self._kept += piece or b""
        return bool(piece)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._kept[:count])
        del self._kept[:count]
        return taken
