"""Models that the engine downloads for the artist, one at a time: what is asked, how far it is, how it ended."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Literal

from ..engine.host import EngineHost
from ..job import Trouble
from ..phrase import joined, phrase
from .changes import Change, Changes

DownloadState = Literal["waiting", "running", "done", "cancelled", "failed"]


class ModelDownload:
    """One download. It waits until an engine is there. Once it is over it needs no engine."""

    def __init__(self, model: str) -> None:
        """model: str, its id at the hub."""
        self.id = f"download-{uuid.uuid4().hex[:12]}"
        self.model = model
        self.state: DownloadState = "waiting"
        self.done = 0  # bytes
        self.total = 0
        self.rate: float | None = None  # bytes a second
        self.left_s: float | None = None
        self.stopping = False
        self.trouble: Trouble | None = None

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("waiting", "running")

    @property
    def share(self) -> float:
        """The share that has arrived, in [0, 1]."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0

    @property
    def text(self) -> str:
        """One line for a panel: '0.4 of 2.1 GB, 12 MB/s, 2:20 left'."""
        if self.stopping:
            return phrase("Stopping...")
        if self.state == "waiting":
            return phrase("Waiting for the engine...")
        if not self.total:
            return phrase("Asking the model hub...")
        parts: list[str] = [phrase("{done:.1f} of {total:.1f} GB", done=self.done / 1e9, total=self.total / 1e9)]
        if self.rate is not None:
            parts.append(f"{self.rate / 1e6:.0f} MB/s")
        if self.left_s is not None:
            minutes, seconds = divmod(round(self.left_s), 60)
            parts.append(phrase("{minutes}:{seconds:02d} left", minutes=minutes, seconds=seconds))
        return joined(parts, ", ")

    def take(self, message: Mapping[str, Any]) -> bool:
        """Take over what a message of the engine says. Returns whether it was about this download."""
        if message.get("id") != self.id:
            return False
        message_type = message["type"]
        if message_type == "progress":
            self.done, self.total = int(message["step"]), int(message["total"])
            self.rate, self.left_s = message.get("rate"), message.get("eta_s")
        elif message_type == "downloaded":
            self.state, self.done = "done", self.total
        elif message_type == "cancelled":
            self.state = "cancelled"
        elif message_type == "failed":
            words = (str(message[name]) for name in ("code", "what", "why", "fix"))
            self.fail(Trouble(*words))
        return True

    def fail(self, trouble: Trouble) -> None:
        """End it with a reason, unless it is over. The engine keeps what has arrived."""
        if self.active:
            self.state, self.trouble = "failed", trouble


class Downloads:
    """The present or the last download, and the conversation with the engine about it."""

    def __init__(self, host: EngineHost, changes: Changes) -> None:
        self.last: ModelDownload | None = None
        self._host = host
        self._changes = changes

    @property
    def active(self) -> bool:
        """Whether a download waits or runs, and so needs an engine."""
        return self.last is not None and self.last.active

    def ask(self, model: str) -> None:
        """Have a model downloaded as soon as there is an engine; ignored while another is at work."""
        if not self.active:
            self.last = ModelDownload(model)
            self._changes.say(Change(None, "download"))

    def stop(self) -> None:
        """End the download. What has arrived is kept for the next one."""
        if self.last is None or not self.last.active:
            return
        self.last.stopping = True
        if self.last.state == "running":
            self._host.send({"type": "cancel", "id": self.last.id})
        else:
            self.last.state = "cancelled"
        self._changes.say(Change(None, "download"))

    def go_on(self) -> None:
        """Ask a ready engine for the download that waits."""
        if self.last is not None and self.last.state == "waiting" and self._host.state == "ready":
            self.last.state = "running"
            self._host.send({"type": "download", "id": self.last.id, "model": self.last.model})

    def take(self, message: Mapping[str, Any]) -> bool:
        """Handle a message of the engine, and ask for the list of models after a download.

        Returns whether the message was about this download.
        """
        if self.last is None or not self.last.take(message):
            return False
        if self.last.state == "done":
            self._host.send({"type": "models"})
        self._changes.say(Change(None, "download"))
        return True

    def fail(self, trouble: Trouble | None) -> None:
        """Fail the download, because the engine is gone or cannot be had."""
        if self.last is not None and self.last.active and trouble is not None:
            self.last.fail(trouble)
            self._changes.say(Change(None, "download"))
