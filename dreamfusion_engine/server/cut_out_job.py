"""The server's cut-outs: what a run would take for the object, shown before one. They are made beside whatever runs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from dreamfusion_engine.failures import as_engine_error
from dreamfusion_engine.pictures.asked import whole_cut_out
from dreamfusion_engine.pictures.given import MOST, GivenPicture
from dreamfusion_engine.wire.messages import error_message, event_message


class CutOuts:
    """All cut-outs that a conversation asked for: one is made, the others wait in order. Each takes a second or two."""

    def __init__(self, send: Callable[[str, Mapping[str, Any], bytes], None], bytes_limit: int) -> None:
        """Prepare for cut-outs.

        send: takes an id, a message without one and its data, from any thread.
        bytes_limit: int, bytes of all pictures that wait.
        """
        self._send = send
        self._bytes_limit = bytes_limit
        self._waiting: deque[tuple[str, GivenPicture]] = deque()
        self._working = False
        self._ended = False
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Return whether any is being made."""
        return self._working

    def has_room(self, size: int) -> bool:
        """Return whether one more picture may wait.

        size: int, bytes of its file and of its mask's.
        """
        with self._lock:
            held = sum(len(picture.data) + len(picture.mask) for _, picture in self._waiting)
            return len(self._waiting) < MOST and held + size <= self._bytes_limit

    def begin(self, name: str, picture: GivenPicture) -> None:
        """Cut out now, or once those before are done.

        name: str, id that the answer gets.
        picture: GivenPicture.
        """
        with self._lock:
            self._waiting.append((name, picture))
            if self._working:
                return
            self._working = True
        threading.Thread(target=self._work, name="cut-out", daemon=True).start()

    def end(self) -> None:
        """Begin no more of them."""
        self._ended = True

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._ended:
                    self._working = False
                    return
                name, picture = self._waiting.popleft()
            try:
                message, data = event_message(whole_cut_out(picture))
            except Exception as error:  # told to the client, whatever it is
                message, data = error_message(as_engine_error(error)), b""
            self._send(name, message, data)
