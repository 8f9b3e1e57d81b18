"""A client of the engine for tests: starts it, speaks the protocol, and never waits for ever."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from dreamfusion_engine.wire.protocol import EVENTS, PROTOCOL_VERSION, Frame, read_frame, write_frame

PATIENCE = 600.0  # seconds for what will come unless something hangs, on a busy machine too
MOST_PASSED_OVER = 100_000  # messages, while one is awaited: an engine that works on would hang a test for ever
FAKE_ENGINE = Path(__file__).resolve().parents[1] / "fakes" / "fake_engine.py"
QUICK_ENGINE = FAKE_ENGINE.with_name("quick_engine.py")


class Client:
    """One engine process. Use as a context manager: the process is killed at the end, whatever happened."""

    def __init__(
        self, folder: Path, *, model: Path | None = None, command: list[str] | None = None, more: Sequence[str] = ()
    ) -> None:
        self.model = model
        self.log = folder / "engine.log"
        words = command or [sys.executable, str(FAKE_ENGINE)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*words, "serve", "--output-root", str(folder / "outputs"), *more],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(FAKE_ENGINE.parents[2])},
            )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.stdin, self.stdout = cast(BinaryIO, self.process.stdin), cast(BinaryIO, self.process.stdout)
        self.frames: queue.Queue[Frame | Exception | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):
                stream.close()

    def _listen(self) -> None:
        while True:
            try:
                frame: Frame | Exception | None = read_frame(self.stdout, EVENTS)
            except (OSError, ValueError) as error:
                frame = error
            self.frames.put(frame)
            if not isinstance(frame, Frame):
                return

    def send(self, message_type: str, **fields: Any) -> None:
        write_frame(self.stdin, {"type": message_type, **fields})

    def send_raw(self, data: bytes) -> None:
        self.stdin.write(data)
        self.stdin.flush()

    def hello(self) -> dict[str, Any]:
        self.send("hello", protocol=PROTOCOL_VERSION)
        return self.wait_for("ready").message

    def generate(self, name: str, prompt: str, *, steps: int = 20, **fields: Any) -> None:
        settings = {"model": str(self.model), "optimize": {"steps": steps}}
        self.send("generate", id=name, prompt=prompt, settings=settings, **fields)

    def next(self, timeout: float = PATIENCE) -> Frame | None:
        """The next message, heartbeats left out; None at the end of the stream. Damage fails the test."""
        end = time.monotonic() + timeout
        while True:
            frame = self.frames.get(timeout=max(0.01, end - time.monotonic()))
            if isinstance(frame, Exception):
                raise frame
            if frame is None or frame.message["type"] != "heartbeat":
                return frame

    def next_type(self) -> str:
        """The type of the next message; '' at the end of the stream."""
        frame = self.next()
        return "" if frame is None else str(frame.message["type"])

    def wait_for(self, message_type: str, name: str | None = None) -> Frame:
        """The next message of a type (and job); others before it are passed over."""
        seen: list[Any] = []
        while True:
            frame = self.next()
            ended = f"the engine ended before '{message_type}'; it said {seen}"
            assert frame is not None, f"{ended}; log: {self.log.read_text()}"
            seen.append(frame.message["type"])
            assert len(seen) < MOST_PASSED_OVER, f"no '{message_type}' comes; it said {seen[-20:]}"
            if frame.message["type"] == message_type and (name is None or frame.message.get("id") == name):
                return frame

    def wait_end(self) -> int:
        """The exit code, once the stream has ended."""
        while self.next() is not None:
            pass
        return self.process.wait(timeout=PATIENCE)
