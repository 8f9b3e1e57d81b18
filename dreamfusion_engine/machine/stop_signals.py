"""The signals that end a run: Ctrl-C, SIGTERM, and SIGHUP, sent when a terminal closes or a connection breaks.

Windows has no SIGHUP. There SIGBREAK comes at Ctrl-Break, when the console's window is closed, and from a batch.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator

STOP_RUN = b"\nStopping after this step, with a checkpoint. Press Ctrl-C again to stop at once.\n"
STOP_DOWNLOAD = b"\nStopping; what has arrived is kept.\n"


def stop_signals() -> list[int]:
    """Return the signals to listen to. SIGHUP is not among them where it was ignored from the start, as by nohup."""
    if sys.platform == "win32":
        return [signal.SIGINT, signal.SIGTERM, signal.SIGBREAK]
    hang_up: int | None = getattr(signal, "SIGHUP", None)
    if hang_up is None or signal.getsignal(hang_up) is signal.SIG_IGN:
        return [signal.SIGINT, signal.SIGTERM]
    return [signal.SIGINT, signal.SIGTERM, hang_up]


@contextlib.contextmanager
def stop_on_signals(words: bytes = STOP_RUN) -> Iterator[Callable[[], bool]]:
    """Stop at the next step after one signal, keeping what there is; at once after a second Ctrl-C or SIGTERM.

    It yields a function that tells whether to stop. A closed terminal sends SIGHUP twice, from the shell and from the
    system, and means one stop.

    words: bytes to write at the first signal.
    Raises KeyboardInterrupt at the second.
    """
    asked = False

    def stop(number: int, _frame: object) -> None:
        nonlocal asked
        if asked and number != getattr(signal, "SIGHUP", None):
            raise KeyboardInterrupt
        asked = True
        with contextlib.suppress(OSError):  # the terminal may be gone
            os.write(2, words)  # not through sys.stderr: a signal can arrive in the middle of a write to it

    before = {number: signal.signal(number, stop) for number in stop_signals()}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
