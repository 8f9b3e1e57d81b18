"""The reading end of a pipe, with a buffer and no lock. It notes when the other side was last heard."""

from __future__ import annotations

import time
from typing import BinaryIO

from ..protocol import DATA_LIMIT, LINE_LIMIT

_PIECE = 1 << 16
_GARBAGE_PAUSE_S = 0.005  # after every piece that is too much for a message, because Blender needs Python's lock


class ByteSource:
    """What protocol.read_frame reads from: `readline` and `read` over an unbuffered pipe.

    It is not io.BufferedReader, because a thread that waits in one holds a lock that Python needs when Blender exits.
    """

    def __init__(self, pipe: BinaryIO) -> None:
        """pipe: an unbuffered stream, whose `read` returns what there is."""
        self._pipe = pipe
        self._buffer = bytearray()
        self._payload = 0  # bytes of data read since the last whole message
        self._line = 0  # other bytes since then
        self.heard = time.monotonic()  # when the last whole message, or data that belongs to one, came

    def message_came(self) -> None:
        """Note that a whole message has been read."""
        self._payload = self._line = 0
        self.heard = time.monotonic()

    def readline(self, limit: int) -> bytes:
        """Bytes up to and with the next line feed; fewer only at the end of the stream.

        limit: int, the most bytes to return.

        Lines alone do not count as heard, so that a flood of garbage counts as silence.
        """
        searched = 0
        while True:
            found = self._buffer.find(b"\n", searched, limit)
            if found >= 0:
                return self._take(found + 1)
            if len(self._buffer) >= limit:
                return self._take(limit)
            searched = len(self._buffer)
            piece = self._pipe.read(_PIECE)
            if not piece:
                return self._take(len(self._buffer))
            self._buffer += piece
            self._line += len(piece)
            if self._line > LINE_LIMIT:
                time.sleep(_GARBAGE_PAUSE_S)

    def read(self, count: int) -> bytes:
        """Between 1 and `count` bytes; none at the end of the stream.

        They count as heard, up to the amount of data that one message can have.
        """
        data = self._take(count) if self._buffer else self._pipe.read(count) or b""
        self._payload += len(data)
        if self._payload <= DATA_LIMIT:
            self.heard = time.monotonic()
        return data

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken
