"""The server's downloads: each runs in a thread of its own, beside whatever the engine computes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from dreamfusion_engine.errors import Cancelled
from dreamfusion_engine.events import Downloaded, Event
from dreamfusion_engine.failures import as_engine_error
from dreamfusion_engine.hub.address import hub_address
from dreamfusion_engine.models.hub_models import download_model
from dreamfusion_engine.wire.messages import error_message, event_message

AT_ONCE = 2  # more would only share one line
MOST_WAITING = 100


class DownloadJob:
    """The download of one model. Its last message is downloaded, cancelled or failed."""

    def __init__(self, model: str, revision: str, send: Callable[[Mapping[str, Any]], None]) -> None:
        """Prepare the download.

        model: str, hub id.
        revision: str, such as 'main'.
        send: takes a message without an id, from another thread.
        """
        self._model = model
        self._revision = revision
        self._send = send
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Stop soon; what has arrived is kept."""
        self._cancelled.set()

    def run(self) -> None:
        """Download the model, and send the message of its end."""

        def report(event: Event) -> None:
            self._send(event_message(event)[0])

        try:
            if self._cancelled.is_set():
                raise Cancelled("cancelled", what="Cancelled.", why="It had not begun.", fix="Nothing was written.")
            got = download_model(
                self._model,
                hub_address(),
                revision=self._revision,
                report=report,
                control=lambda: "cancel" if self._cancelled.is_set() else "continue",
            )
        except Exception as error:  # told to the client, whatever it is
            self._send(error_message(as_engine_error(error)))
        else:
            done = Downloaded(model=self._model, folder=str(got.folder), size=got.bytes, license=got.license)
            self._send(event_message(done)[0])


class Downloads:
    """All downloads of a conversation: AT_ONCE run, the others wait in order."""

    def __init__(self, send: Callable[[str, Mapping[str, Any]], None]) -> None:
        """Prepare for downloads.

        send: takes a download's id and a message without one, from any thread.
        """
        self._send = send
        self._jobs: dict[str, DownloadJob] = {}  # those that are over too: an id is used once
        self._waiting: deque[DownloadJob] = deque()
        self._working = 0
        self._lock = threading.Lock()

    def __contains__(self, name: object) -> bool:
        return name in self._jobs

    @property
    def busy(self) -> bool:
        """Return whether any download is not over."""
        return self._working > 0

    @property
    def full(self) -> bool:
        """Return whether no more downloads may wait."""
        return len(self._waiting) >= MOST_WAITING

    def begin(self, name: str, model: str, revision: str) -> None:
        """Download a model now, or once the downloads before it are over.

        name: str, id of the download.
        model: str, hub id.
        revision: str, such as 'main'.
        """
        job = DownloadJob(model, revision, lambda said: self._send(name, said))
        with self._lock:
            self._jobs[name] = job
            self._waiting.append(job)
            if self._working == AT_ONCE:
                return
            self._working += 1
        threading.Thread(target=self._work, name="download", daemon=True).start()

    def cancel(self, name: str) -> None:
        """Stop a download soon; one that waits ends at once."""
        job = self._jobs[name]
        job.cancel()
        with self._lock:
            if job not in self._waiting:
                return
            self._waiting.remove(job)
        job.run()

    def end(self) -> None:
        """Stop all downloads soon."""
        for name in list(self._jobs):
            self._jobs[name].cancel()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._working -= 1
                    return
                job = self._waiting.popleft()
            job.run()
