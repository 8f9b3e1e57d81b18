"""A download of the server: in a thread of its own, beside whatever the engine computes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from dreamfusion_engine.events import Event
from dreamfusion_engine.failures import as_engine_error
from dreamfusion_engine.guidance.hub_models import download_model
from dreamfusion_engine.hub.address import hub_address
from dreamfusion_engine.messages import downloaded_message, error_message, event_message


class DownloadJob:
    """One model on its way. `start` returns at once; the last message is downloaded, cancelled or failed."""

    def __init__(self, model: str, revision: str, send: Callable[[Mapping[str, Any]], None]) -> None:
        """send: takes a message without an id, from another thread."""
        self._model = model
        self._revision = revision
        self._send = send
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="download", daemon=True)

    @property
    def over(self) -> bool:
        """Whether the last message has been said."""
        return not self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Stop soon; what has arrived is kept."""
        self._cancelled.set()

    def _run(self) -> None:
        def report(event: Event) -> None:
            self._send(event_message(event)[0])

        try:
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
            self._send(downloaded_message(self._model, str(got.folder), got.bytes, got.license))
