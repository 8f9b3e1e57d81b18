"""The one engine of a queue: absent, starting, ready or dead. Earlier engines that still end are watched here too."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..job import EngineTrouble, Trouble
from ..protocol import Frame
from .process import EngineProcess
from .troubles import silence_trouble

EngineState = Literal["absent", "starting", "ready", "dead"]
_BLOCKED_S = 5.0  # in a longer gap between two looks Blender or the computer slept: silence does not count then
_RETIRING_S = 20.0  # seconds for an old engine to free its memory; after that the new one starts beside it


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds without a word, or without an answer, after which something is wrong.

    The engine sends a heartbeat every 2 s. It cannot while Python loads torch from a cold disk, nor while a library
    holds Python's lock. Beside a Cycles render on all cores such a time can be many times as long.
    """

    start: float = 120.0  # between the start of the process and its first words
    load: float = 90.0  # in a job's stage 'load'
    silence: float = 30.0  # in later stages
    cancel: float = 10.0  # from Cancel to the job's end; then the engine is ended, its checkpoint stays


class EngineHost:
    """Starts, watches and ends engines, one at a time. Only `close` waits."""

    def __init__(self, launch: Callable[[], EngineProcess], patience: Patience) -> None:
        """launch: starts an engine; may raise EngineTrouble.
        patience: limits on the engine's silence.
        """
        self.state: EngineState = "absent"
        self.trouble: Trouble | None = None
        self.devices: dict[str, Any] | None = None
        self.models: list[dict[str, Any]] | None = None
        self.suggestions: list[dict[str, Any]] = []
        self.given: list[dict[str, Any]] = []  # lines of the models that were asked about by path
        self.version = ""
        self._launch = launch
        self._patience = patience
        self._process: EngineProcess | None = None
        self._asked: tuple[tuple[str, str], ...] = ()  # what this engine was asked about
        self._retiring: list[tuple[float, EngineProcess]] = []
        self._polled = self._excused = time.monotonic()

    @property
    def local(self) -> bool:
        """Whether the engine sees this machine's files."""
        return self._process is not None and self._process.local

    @property
    def pid(self) -> int | None:
        """The engine's process number, for tests and reports."""
        return None if self._process is None else self._process.pid

    @property
    def ending(self) -> bool:
        """Whether an earlier engine has not ended yet."""
        return bool(self._retiring)

    @property
    def gone(self) -> bool:
        """Whether the engine has ended or is unusable. Messages that it sent before may still wait."""
        return self._process is not None and (self._process.ended or self._process.trouble is not None)

    @property
    def waiting(self) -> int:
        """The number of frames that `receive` can return now."""
        return 0 if self._process is None else self._process.waiting

    def start(self) -> None:
        """Start an engine unless there is one. Does nothing while an earlier one ends and still holds its memory."""
        if self._process is not None or self.ending:
            return
        self.trouble = None
        try:
            self._process = self._launch()
        except EngineTrouble as error:
            self.state, self.trouble = "dead", error.trouble
            return
        self.state, self._asked = "starting", ()
        self._excused = time.monotonic()

    def send(self, message: Mapping[str, Any], data: bytes = b"") -> None:
        """Send a message, and the data that it carries, to the engine. It is lost when there is none.

        The engine's silence counts from here on: before, an idle engine had no reason to speak.
        """
        self._excused = time.monotonic()
        if self._process is not None:
            self._process.send(message, data)

    def ask_about(self, given: tuple[tuple[str, str], ...]) -> None:
        """Ask a ready engine for the lines on models, once for each list.

        given: pairs of a model (folder, file or id) and its base.
        """
        if self.state == "ready" and given != self._asked:
            self._asked = given
            self.send({"type": "models", "given": [{"model": model, "base": base} for model, base in given]})

    def receive(self) -> Frame | None:
        """The next frame of the engine, or None."""
        return None if self._process is None else self._process.receive()

    def greeted(self, message: Mapping[str, Any]) -> None:
        """Keep what a message `ready`, `models` or `devices` says."""
        if message["type"] == "ready":
            self.state, self.trouble, self.version = "ready", None, message["engine"]
        if "devices" in message:
            self.devices = message["devices"]
        if "models" in message:
            self.models = [model for model in message["models"] if isinstance(model, dict)]
            self.suggestions = [model for model in message.get("suggestions") or [] if isinstance(model, dict)]
        if message.get("given") is not None:
            self.given = [model for model in message["given"] if isinstance(model, dict)]

    def silence_s(self, now: float) -> float:
        """Seconds without a sign of life. Time in which Blender did not look is left out."""
        return 0.0 if self._process is None else now - max(self._process.heard, self._excused)

    def poll(self, now: float, stage: str | None, *, gone: bool) -> bool:
        """Whether the engine has just been found dead. `trouble` then says why.

        now: float, time.monotonic().
        stage: str, of the job that the engine has; None without a job.
        gone: bool, the engine was `gone` before its last messages were handled, and none are left.
        """
        if now - self._polled > _BLOCKED_S:
            self._excused = now
        self._polled = now
        self._retiring = [(since, old) for since, old in self._retiring if not old.ended and now - since < _RETIRING_S]
        process = self._process
        if process is None:
            return False
        trouble = None
        if gone:
            bye = Trouble("engine.ended", "The engine has ended.", "It said goodbye by itself.", "Try again.")
            trouble = process.trouble or bye
        elif self.state == "starting":
            trouble = process.stalled(self._patience.start, self.silence_s(now))
        elif stage is not None:
            limit = self._patience.load if stage in ("", "load") else self._patience.silence
            if self.silence_s(now) > limit:
                trouble = silence_trouble(self.silence_s(now), stage, ready=True)
        if trouble is None:
            return False
        self._retire(process.kill)
        self.state, self.trouble = "dead", trouble
        return True

    def end(self, *, at_once: bool = False) -> None:
        """End the engine. Returns at once.

        at_once: bool, without time for a checkpoint.
        """
        process = self._process
        if process is not None:
            self._retire(process.kill if at_once else process.end)
        self.state = "absent"

    def close(self, timeout_s: float) -> None:
        """End every engine and wait for their end.

        timeout_s: float, the longest wait in seconds.
        """
        until = time.monotonic() + timeout_s
        self.end()
        for _, process in self._retiring:
            process.close(max(0.0, until - time.monotonic()))
        self._retiring = []

    def _retire(self, how: Callable[[], None]) -> None:
        assert self._process is not None
        how()
        self._retiring.append((time.monotonic(), self._process))
        self._process = None
