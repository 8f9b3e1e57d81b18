"""The runs of one server: what the engine's process says of each, kept in bounded room, for whoever asks.

The queue itself is that of `serve`. Here is only what a client of it must remember.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dreamfusion_engine.agents.engine import Engine, Hear, engine_gone
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.wire.messages import error_message
from dreamfusion_engine.wire.printed import PRINTED

MOST_WAITING = 20  # runs of a client that wait or run
MOST_KEPT = 200  # runs that are over and remembered; the folder remembers all
NOTES = 50  # of a run
PICTURE_LIMIT = 8 << 20  # bytes of a preview that is kept

State = Literal["asked", "queued", "running", "done", "failed", "cancelled"]
ENDS: Mapping[str, State] = {"result": "done", "failed": "failed", "cancelled": "cancelled"}
Begin = Callable[[Path, Hear], Engine]


@dataclass
class Run:
    """What is known of a run.

    name: str, of its folder.
    task: str, 'generate', 'texture' or 'refine'.
    job: str, its id with the engine.
    taken: bool, whether the engine took it into its queue.
    newest: by type, the newest progress and the like, as printed.
    notes: the newest ones.
    end: the message that ended it; None before that.
    picture: bytes of the newest preview, a PNG.
    release: called when it is over, or forgotten.
    """

    name: str
    task: str
    folder: Path
    job: str
    state: State = "asked"
    taken: bool = False
    ahead: int = 0
    newest: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=NOTES))
    end: dict[str, Any] | None = None
    picture: bytes = b""
    release: Callable[[], None] = lambda: None

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.end is not None

    def messages(self) -> list[dict[str, Any]]:
        """Return what is known, as messages of docs/messages.md: the notes, the newest progress, and the end."""
        return [*self.notes, *self.newest.values(), *([] if self.end is None else [self.end])]


class Runs:
    """All runs, and the engine's process that makes them, which is started when there is something to do."""

    def __init__(self, folder: Path, begin: Begin = Engine) -> None:
        """Prepare.

        folder: Path in which the engine works.
        begin: starts an engine's process.
        """
        self._folder = folder
        self._begin = begin
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._by_name: dict[str, Run] = {}
        self._by_job: dict[str, Run] = {}
        self._jobs = 0
        self._closed = False
        self.models: dict[str, Any] | None = None  # as the engine said last
        self.complaint: dict[str, Any] | None = None  # why the engine does not greet

    def engine(self) -> Engine:
        """Return the engine's process, started anew where there is none or it has gone.

        Raises SetupError where it cannot be started, InputError once the conversation is over.
        """
        with self._lock:
            if self._closed:
                raise InputError("input.closed", what="The server ends.", why="The client left.", fix="Start it again.")
            if self._engine is None or self._engine.gone:
                self.models, self.complaint = None, None
                self._engine = self._begin(self._folder, self._hear)
            return self._engine

    def ask(self, run: Run, message: Mapping[str, Any], data: bytes = b"") -> None:
        """Ask the engine for a run.

        run: Run, of a name that none at work has.
        message: of COMMANDS, without its id.
        data: bytes that follow.
        Raises InputError where too many wait, or the run is at work.
        """
        engine = self.engine()
        with self._lock:
            there = self._by_name.get(run.name)
            if there is not None and not there.over:
                raise InputError(
                    "input.at_work",
                    what="This run is at work already.",
                    why=f"{run.name} is {there.state}.",
                    fix="The tool watch shows how it goes; cancel stops it.",
                )
            at_work = sum(not each.over for each in self._by_name.values())
            if at_work >= MOST_WAITING:
                raise InputError(
                    "protocol.full",
                    what="The engine cannot take another run now.",
                    why=f"{at_work} runs wait or are at work, and {MOST_WAITING} are the most.",
                    fix="Wait for some of them, or cancel them.",
                )
            self._jobs += 1
            run.job = f"{run.name}#{self._jobs}"
            over = [each for each in self._by_name.values() if each.over]
            for old in over[: max(0, len(over) - MOST_KEPT)]:
                self._drop(old)
            self._by_name[run.name] = self._by_job[run.job] = run
        engine.send({**message, "id": run.job}, data)

    def get(self, name: str) -> Run | None:
        """Return a run of this server; None where it has none of that name.

        name: str.
        """
        with self._lock:
            return self._by_name.get(name)

    def cancel(self, run: Run) -> None:
        """Ask the engine to stop a run, which keeps a checkpoint.

        run: Run.
        """
        if self._engine is not None and not run.over:
            self._engine.send({"type": "cancel", "id": run.job})

    def refused(self, run: Run) -> None:
        """Forget a run that the engine refused.

        run: Run.
        """
        with self._lock:
            self._drop(run)

    def close(self, seconds: float) -> None:
        """Stop what runs, with a checkpoint.

        seconds: float, for which to wait.
        """
        with self._lock:
            self._closed = True
        if self._engine is not None:
            self._engine.end(seconds)
        for run in list(self._by_name.values()):
            run.release()

    def _drop(self, run: Run) -> None:
        if self._by_name.get(run.name) is run:
            del self._by_name[run.name]
        self._by_job.pop(run.job, None)

    def _hear(self, message: dict[str, Any], data: bytes) -> None:
        """Take in what the engine says; in the thread that reads it."""
        said = message["type"]
        with self._lock:
            if said == "gone":
                end = error_message(engine_gone(message["code"]))
                self.complaint = self.complaint or end
                for run in self._by_name.values():
                    if not run.over:
                        run.release()
                        run.state, run.end = "failed", end
                return
            if said in ("ready", "models"):
                self.models = message
                return
            found = self._by_job.get(message.get("id") or "")
            if found is None:
                if said == "failed" and self.models is None and message["code"] != "protocol.line_long":
                    self.complaint = _as_printed(message)
                return
            self._take(found, message, data)

    def _take(self, run: Run, message: dict[str, Any], data: bytes) -> None:
        said = message["type"]
        if said == "queued":
            run.state, run.ahead, run.taken = "queued", message["ahead"], True
        elif said == "started":
            run.state = "running"
        elif said == "note":
            run.notes.append(_as_printed(message))
        elif said in ("progress", "standing"):
            run.newest[said] = _as_printed(message)
        elif said == "preview" and message["name"] in ("latest", "views") and len(data) <= PICTURE_LIMIT:
            run.picture = data
        elif said in ENDS:
            run.release()
            run.state, run.end, run.picture = ENDS[said], _as_printed(message), b""


def _as_printed(message: Mapping[str, Any]) -> dict[str, Any]:
    fields = PRINTED[message["type"]]
    return {"type": message["type"]} | {name: message[name] for name in fields if name in message}
