"""Test Connection: whether an engine is there, speaks this protocol, and what devices and models it has."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..job import EngineTrouble, Trouble
from ..phrase import phrase
from . import cluster
from .location import EngineLocation
from .process import EngineProcess
from .troubles import silence_trouble

TIMEOUT_S = 120.0  # the first import of torch from a cold disk, under a virus scanner, takes that long


@dataclass(frozen=True)
class ConnectionReport:
    """What Test Connection found.

    trouble: what is wrong, None when all is well.
    engine: str, its version.
    devices, models: as the engine's `ready` says.
    seconds: float, the time until it answered.
    """

    trouble: Trouble | None = None
    engine: str = ""
    devices: dict[str, Any] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """One sentence on the engine that answered, or on what is wrong."""
        if self.trouble is not None:
            return f"{self.trouble.what} {self.trouble.why}"
        if cluster.is_there(self.devices):
            return phrase(
                "Engine {engine} answered after {seconds:.1f} s. {cluster}",
                engine=self.engine,
                seconds=self.seconds,
                cluster=cluster.text(self.devices),
            )
        default = self.devices.get("default", "cpu")
        titles = [d.get("title") for d in self.devices.get("devices", []) if d.get("name") == default]
        title = f" ({titles[0]})" if titles and titles[0] else ""
        field = str(self.devices.get("default_field") or default)
        if field != default:
            return phrase(
                "Engine {engine} answered after {seconds:.1f} s; it computes on {device}, the object on {field}",
                engine=self.engine,
                seconds=self.seconds,
                device=default + title,
                field=field,
            )
        return phrase(
            "Engine {engine} answered after {seconds:.1f} s; it computes on {device}",
            engine=self.engine,
            seconds=self.seconds,
            device=default + title,
        )


class ConnectionCheck:
    """Starts the engine, says hello and ends it. Call `poll` from a timer until it returns a report."""

    def __init__(self, location: EngineLocation, log: Path, timeout_s: float = TIMEOUT_S) -> None:
        """Start the engine.

        location: EngineLocation to test.
        log: Path of the engine's log.
        timeout_s: float, seconds of silence after which the test fails.
        """
        self._report: ConnectionReport | None = None
        self._engine: EngineProcess | None = None
        self._began = time.monotonic()
        self._timeout_s = timeout_s
        try:
            self._engine = location.start(log)
        except EngineTrouble as error:
            self._report = ConnectionReport(error.trouble)

    def poll(self) -> ConnectionReport | None:
        """The report, or None while the engine has not answered. Never blocks."""
        engine = self._engine
        if self._report is not None or engine is None:
            return self._report
        seconds = time.monotonic() - self._began
        ended = engine.ended  # asked first, so that all messages of an ended engine have arrived
        while (frame := engine.receive()) is not None:
            message = frame.message
            if message["type"] == "ready":
                engine.end()
                self._report = ConnectionReport(
                    None, message["engine"], message["devices"], list(message["models"]), seconds
                )
                return self._report
        if engine.trouble is not None:
            self._report = ConnectionReport(engine.trouble, seconds=seconds)
            engine.kill()
        else:
            stalled = engine.stalled(self._timeout_s, time.monotonic() - engine.heard)
            if stalled is None and (ended or seconds > 3 * self._timeout_s):
                stalled = silence_trouble(seconds, "", ready=False)
            if stalled is not None:
                self._report = ConnectionReport(stalled, seconds=seconds)
                engine.kill()
        return self._report

    def cancel(self) -> None:
        """End the tested engine. Returns at once."""
        if self._engine is not None:
            self._engine.kill()

    def close(self) -> None:
        """End the tested engine and wait for its end, less than two seconds."""
        if self._engine is not None:
            self._engine.close()
