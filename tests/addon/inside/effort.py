"""What a piece of Python does, counted: the same on a busy machine as on a quiet one. For scripts in Blender too."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

# What lets its caller wait for another thread or process. Locks that are held for a moment are not among them.
WAITS = {
    function.__code__: name
    for name, function in {
        "Condition.wait": threading.Condition.wait,
        "Condition.wait_for": threading.Condition.wait_for,
        "Thread.join": threading.Thread.join,
        "Popen.wait": subprocess.Popen.wait,
    }.items()
}
BUILT_IN_WAITS = {"time.sleep", "_queue.get", "select.select"}
DISK = {
    f"{module}.{name}"
    for module in ("posix", "nt")
    for name in ("open", "mkdir", "rename", "replace", "remove", "unlink", "rmdir", "scandir", "listdir", "fsync")
} | {"io.open", "_io.open"}


class Effort:
    """lines: of Python that ran. waits, files: calls that wait, and that open, list or change files, by name, in order.

    waited_s: the most that those waits can have taken, by the timeouts that they were given; infinite without one.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.waits: list[str] = []
        self.files: list[str] = []
        self.waited_s = 0.0

    def _trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            self.lines += 1
        elif event == "call" and frame.f_code in WAITS and not _inner(frame):
            self.waits.append(WAITS[frame.f_code])
            timeout = frame.f_locals.get("timeout")
            self.waited_s += math.inf if timeout is None else timeout
        return self._trace

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if event != "c_call":
            return
        name = f"{getattr(argument, '__module__', None)}.{getattr(argument, '__name__', '')}"
        if name in BUILT_IN_WAITS and frame.f_code not in WAITS and not _inner(frame):
            self.waits.append(name)
            self.waited_s = math.inf  # how long is not to be seen
        elif name in DISK:
            self.files.append(name)


def _inner(frame: FrameType) -> bool:
    """Whether this is part of a wait that counts already, or of a thread's start, which waits until the thread runs."""
    outer: FrameType | None = frame.f_back
    while outer is not None:
        if outer.f_code in WAITS or outer.f_code is threading.Thread.start.__code__:
            return True
        outer = outer.f_back
    return False


@contextlib.contextmanager
def counted() -> Iterator[Effort]:
    """Count what this thread does in the block. It runs some ten times slower meanwhile."""
    effort = Effort()
    before = sys.gettrace(), sys.getprofile()
    sys.settrace(effort._trace)
    sys.setprofile(effort._profile)
    try:
        yield effort
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
