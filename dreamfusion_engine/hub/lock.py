"""One download of a model at a time, on one machine."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from dreamfusion_engine.errors import SetupError


@contextlib.contextmanager
def only_one(path: Path, repository: str) -> Iterator[None]:
    """Hold the lock file `path`. The system frees it when the process ends, however that happens.

    Raises SetupError model.busy while another process holds it, OSError where the file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as held:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(held.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SetupError(
                "model.busy",
                what=f"The model '{repository}' is being downloaded already.",
                why="Another process of this machine is at it.",
                fix="Wait for it, or stop it; what has arrived is kept.",
            ) from None
        yield
