"""Programs that the engine starts beside itself: what they are told, and that they do not outlive it."""

from __future__ import annotations

import contextlib
import faulthandler
import math
import os
import re
import signal
import sys
from collections.abc import Mapping

_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY", re.IGNORECASE)
_PR_SET_PDEATHSIG = 1  # prctl(2)


def child_environment(
    changes: Mapping[str, str] | None = None, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment without whatever is named like a secret, HF_TOKEN above all: no child of ours needs one."""
    return {name: value for name, value in environ.items() if not _SECRET.search(name)} | dict(changes or {})


def end_with(parent: int, *, seconds: float, processor_seconds: float) -> None:
    """Called by a child process: see to it that it ends when its parent does, and at the latest after a while.

    parent: the process that started it. seconds: of time. processor_seconds: of computing, over all threads.
    Native code that holds Python's lock for minutes is ended too: nothing here waits for Python. Linux sends the signal
    when the parent dies; elsewhere the two limits end the orphan.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=open(os.devnull, "w"))  # noqa: SIM115  open for ever
    if sys.platform == "win32":
        return
    import resource

    limit = math.ceil(processor_seconds)
    with contextlib.suppress(ValueError, OSError):  # somebody has set a lower one
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the signal was asked for
        os._exit(1)
