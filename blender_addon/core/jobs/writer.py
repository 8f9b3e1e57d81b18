"""A thread that writes files in order, so that Blender never waits for a slow disk."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Hashable
from pathlib import Path

_RETRIES = 8  # of a rename that Windows refuses while a virus scanner looks at the file
_RETRY_S = 0.05
_LINGER_S = 10.0  # without work, before the thread ends


class Pending:
    """A piece of work for the writer.

    done: bool, it was tried, or newer work took its place.
    error: OSError, what went wrong; None when nothing did.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self.done = False
        self.error: OSError | None = None

    def run(self) -> None:
        """Do the work. An exception is kept in `error`, because it must not end the thread."""
        try:
            self._work()
        except OSError as error:
            self.error = error
        except Exception as error:  # a bug, which is shown as the file that could not be written
            self.error = OSError(f"{type(error).__name__}: {error}")
        self._work = _nothing  # it may hold a picture or a mesh
        self.done = True


class Writer:
    """A daemon thread that does one piece of work after the other, and ends when it has been idle for a while."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[Hashable, Pending] = {}
        self._serial = itertools.count()
        self._thread: threading.Thread | None = None
        self._at_work = False

    def put(self, work: Callable[[], None], replaces: Hashable | None = None) -> Pending:
        """Queue a piece of work.

        work: what the thread calls.
        replaces: key of the work; older work under the same key that has not begun is dropped.
        """
        pending = Pending(work)
        with self._changed:
            if replaces is not None:
                overtaken = self._waiting.pop(replaces, None)
                if overtaken is not None:
                    overtaken.done = True
            self._waiting[replaces if replaces is not None else next(self._serial)] = pending
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="dreamfusion-disk", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return pending

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is written. Returns whether it is.

        timeout_s: float, the longest wait in seconds.
        """
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._at_work, timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._at_work = False
                self._changed.notify_all()
                # Starting a thread makes the caller wait, so the thread stays for the next piece of work.
                if not self._changed.wait_for(lambda: bool(self._waiting), _LINGER_S):
                    self._thread = None
                    return
                pending = self._waiting.pop(next(iter(self._waiting)))
                self._at_work = True
            pending.run()


def write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace a file whole or not at all.

    path: Path of the file.
    data: bytes, the new content.
    durable: bool, whether the content must be on the disk when this returns.
    Raises OSError.
    """
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)  # left by a process that was killed, or a link that leads elsewhere
    with draft.open("xb") as stream:
        stream.write(data)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())
    for attempt in range(_RETRIES):
        try:
            os.replace(draft, path)
            return
        except PermissionError:
            if os.name != "nt" or attempt == _RETRIES - 1:
                raise
            time.sleep(_RETRY_S)


def append_line(path: Path, line: bytes) -> None:
    """Add a line to a file. It is on the disk when this returns, and on its own line even after a torn one.

    path: Path of the file, which is made if need be.
    line: bytes, with its line feed.
    Raises OSError.
    """
    with path.open("a+b") as stream:
        end = stream.seek(0, os.SEEK_END)
        torn = False
        if end:
            stream.seek(end - 1)
            torn = stream.read(1) != b"\n"
        stream.write(b"\n" + line if torn else line)
        stream.flush()
        os.fsync(stream.fileno())


def _nothing() -> None:
    """Stand in for work that is done."""
