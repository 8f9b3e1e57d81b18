"""A client's job on a machine of a Ray cluster: the engine's own `serve` there, whose messages are handed on.

Nothing here imports Ray, as in ray_node.py.
"""

from __future__ import annotations

import contextlib
import platform
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from dreamfusion_engine.batch.bundle import Bundle
from dreamfusion_engine.batch.engine_process import OWN_GROUP, end_group, how_it_ended
from dreamfusion_engine.batch.ray_node import NodeJob, here
from dreamfusion_engine.wire.pipe_reader import PipeReader
from dreamfusion_engine.wire.protocol import (
    EVENTS,
    NEWEST_MATTERS,
    PROTOCOL_VERSION,
    DamagedFrame,
    read_frame,
    write_frame,
)

LAST = ("result", "failed", "cancelled")  # of a job: nothing comes after it
_LISTEN = 1.0  # seconds that a question waits for a message
_OWN = ("ready", "models", "devices", "queued", "heartbeat", "bye")  # between that `serve` and this actor alone
_RUN = "run"  # name of the job's folder

Message = tuple[dict[str, Any], bytes]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What there is to say of a job.

    messages: of the protocol, each with its data, in their order.
    bundle: Bundle of new files; None for none.
    died: str, how its process ended without a last message; '' while it has not.
    """

    messages: list[Message] = field(default_factory=list)
    bundle: Bundle | None = None
    died: str = ""


class NodeTalk(NodeJob):
    """One job of a client at work.

    program: words that call the engine; its first is replaced by this machine's Python.
    threads: int, of the run on a CPU.
    every_s: float, seconds between two checkpoints that are handed back, at least.
    """

    def __init__(self, program: Sequence[str], threads: int, every_s: float) -> None:
        super().__init__(program, (), threads, every_s)
        self._talk: _Talk | None = None

    def begin(self, message: Mapping[str, Any], files: Bundle, data: bytes = b"") -> str:  # type: ignore[override]
        """Begin the job, or go on with it from the files of its folder. Returns this machine's name.

        message: the client's command; its `resume` says whether it goes on.
        files: Bundle of the folder as it is.
        data: bytes that came with the command.
        Raises OSError.
        """
        own, run = self.room(_RUN, files)
        resume = bool(message.get("resume"))
        self._talk = _Talk([*here(self._program), "serve"], self.environment, own / "log.txt")
        self._talk.send({"type": "hello", "protocol": PROTOCOL_VERSION})
        kept = ("bytes", "pictures") if resume else ("bytes",)  # by a run that goes on, in its folder
        asked = {name: value for name, value in message.items() if name not in kept}
        self._talk.send({**asked, "output": str(run)}, b"" if resume else data)
        return platform.node()[:60]

    def said(self, commands: Sequence[Mapping[str, Any]] = ()) -> Said:
        """Hand commands on; return the messages since the last time, with a checkpoint where one is due.

        commands: of the client, about this job.
        """
        assert self._talk is not None
        for command in commands:
            self._talk.send(command)
        messages, died = self._talk.heard(_LISTEN)
        try:
            bundle = self.packed(at_once=any(message["type"] in LAST for message, _ in messages) or bool(died))
        except OSError as error:
            self._talk.kill()
            return Said(messages=[], died=f"{platform.node()[:60]}: {error}")
        return Said(messages=messages, bundle=bundle, died=died)

    def leave(self) -> None:
        """End what is at work, and take its folder away."""
        if self._talk is not None:
            self._talk.kill()
            self._talk.join(10.0)
        super().leave()


class _Talk:
    """A `serve` of this machine. Raises OSError where no process can be started."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
                bufsize=0,
                start_new_session=sys.platform != "win32",
                creationflags=OWN_GROUP,
            )
        self._heard: queue.Queue[Message | None] = queue.Queue()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def send(self, message: Mapping[str, Any], data: bytes = b"") -> None:
        with contextlib.suppress(OSError, ValueError):  # it has ended, which is heard
            write_frame(cast(BinaryIO, self._process.stdin), message, data)

    def heard(self, seconds: float) -> tuple[list[Message], str]:
        """The messages that have come, and how it ended if it did. Of pictures of one kind only the newest."""
        found: dict[Any, Message] = {}
        until = time.monotonic() + seconds
        with contextlib.suppress(queue.Empty):
            while (each := self._heard.get(timeout=max(0.0, until - time.monotonic()))) is not None:
                message = each[0]
                kind = message["type"]
                if kind in _OWN:
                    continue
                named = NEWEST_MATTERS.get(kind)
                key = len(found) if named is None else (kind, *(message[name] for name in named))
                found.pop(key, None)
                found[(key, len(found)) if named is None else key] = each
                if kind in LAST:
                    break
                until = min(until, time.monotonic() + 0.05)  # those that are there already
            else:
                return list(found.values()), how_it_ended(self._process.wait(), self._log)
        return list(found.values()), ""

    def kill(self) -> None:
        end_group(self._process)

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _listen(self) -> None:
        stream = cast(BinaryIO, PipeReader(cast(BinaryIO, self._process.stdout)))
        with contextlib.suppress(OSError, ValueError):
            while True:
                try:
                    frame = read_frame(stream, EVENTS)
                except DamagedFrame as damage:
                    if damage.lost:
                        break
                    continue
                if frame is None:
                    break
                self._heard.put((frame.message, frame.data))
        self._process.wait()
        self._heard.put(None)
