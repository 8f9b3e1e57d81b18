"""What has arrived from the engine and waits for Blender's main thread. Of some messages only the newest is kept."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Hashable
from typing import Any

from ..protocol import ENDINGS, NEWEST_MATTERS, Frame

LIMIT = 500  # frames; far more than anybody looks at between two ticks
BYTES_LIMIT = 1 << 30  # bytes of data in all frames; one result may have half of that


class Inbox:
    """A bounded queue between two threads, in which the one who puts never waits.

    A render in Blender can hold the main thread for an hour, and the engine must not wait for it. So only the newest of
    each picture, mesh and progress is kept. Past LIMIT and BYTES_LIMIT the oldest frames are dropped, and those
    that end something go last.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames: dict[Hashable, Frame] = {}
        self._serial = itertools.count()
        self._bytes = 0
        self.dropped = 0  # frames that were replaced or dropped

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: Frame) -> bool:
        """Add a frame at the end. Never waits. Returns whether another frame was replaced or dropped for it."""
        key = _replaceable(frame.message)
        with self._lock:
            replaced = key in self._frames
            if replaced:
                self._remove(key)
            self._frames[key if key is not None else next(self._serial)] = frame
            self._bytes += len(frame.data)
            while len(self._frames) > LIMIT or (self._bytes > BYTES_LIMIT and len(self._frames) > 1):
                self._drop_oldest()
                replaced = True
            self.dropped += replaced
        return replaced

    def get(self) -> Frame | None:
        """Take the first frame, or None when there is none."""
        with self._lock:
            for key in self._frames:
                return self._remove(key)
        return None

    def _remove(self, key: Hashable) -> Frame:
        frame = self._frames.pop(key)
        self._bytes -= len(frame.data)
        return frame

    def _drop_oldest(self) -> None:
        others = (key for key, frame in self._frames.items() if frame.message["type"] not in ENDINGS)
        key = next(others, next(iter(self._frames)))
        self._remove(key)


def _replaceable(message: dict[str, Any]) -> Hashable | None:
    """The key under which a newer frame takes this one's place; None for a frame that must be kept."""
    fields = NEWEST_MATTERS.get(message["type"])
    return None if fields is None else (message["type"], message["id"], *(message[name] for name in fields))
