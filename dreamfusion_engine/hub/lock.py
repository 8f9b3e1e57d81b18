"""One download of a model at a time, on one machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.machine import file_lock


@contextlib.contextmanager
def only_one_download(path: Path, repository: str) -> Iterator[None]:
    """Hold the lock file `path`. The system frees it when the process ends, however that happens.

    Raises SetupError model.busy while another process holds it, OSError where the file cannot be made.
    """

    def busy(holder: str) -> SetupError:
        return SetupError(
            "model.busy",
            what=f"The model '{repository}' is being downloaded already.",
            why=f"It is at work on it: {holder}.",
            fix="Wait for it, or stop it; what has arrived is kept.",
        )

    path.parent.mkdir(parents=True, exist_ok=True)
    with file_lock.only_one(path, busy):
        yield
