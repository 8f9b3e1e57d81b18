"""The queue: starts the engine when there is work, feeds it one job at a time, and says what has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .connection import EngineProcess
from .job import Job, Recipe, Trouble
from .journal import JobStore

ChangeKind = Literal["state", "progress", "picture", "mesh", "note", "result", "engine"]


@dataclass(frozen=True)
class Change:
    """One thing that happened, in the order in which it did.

    job: whose; None for 'engine'. kind: 'state' (job.state), 'progress', 'picture' (name 'latest' or 'views', data PNG),
    'mesh' (data: vertices float32[V, 3], triangles int32[T, 3], colours uint8[V, 3]; counts V, T), 'note' (name: its code),
    'result' (data: the GLB; job.result is on disk already), 'engine' (queue.engine_state).
    """

    job: Job | None
    kind: ChangeKind
    name: str = ""
    data: bytes = b""
    counts: tuple[int, int] = (0, 0)
    step: int = 0


class JobQueue:
    """Jobs, one running at a time, and the engine that runs them. Call `tick` from a timer; nothing here blocks."""

    jobs: list[Job]  # newest last
    engine_state: Literal["absent", "starting", "ready", "dead"]
    engine_trouble: Trouble | None  # why it is dead
    devices: dict[str, Any] | None  # as `ready` said, or as it said last time
    models: list[dict[str, Any]] | None
    keep_loaded_s: float  # an engine without work is ended after this many seconds

    def __init__(self, store: JobStore, launch: Callable[[], EngineProcess], *, keep_loaded_s: float = 300.0) -> None:
        """store: where jobs live; loaded here. launch: starts an engine (EngineLocation.start); may raise EngineTrouble."""
        raise NotImplementedError

    @property
    def current(self) -> Job | None:
        """The job that the engine has."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """Whether there is anything to wait for: tick soon again. Else a tick a second is enough."""
        raise NotImplementedError

    @property
    def silence_s(self) -> float:
        """Seconds without a word from an engine that should speak; 0 when none is due."""
        raise NotImplementedError

    def add(self, recipe: Recipe, placement: Mapping[str, Any] | None = None) -> Job:
        """Queue a new job."""
        raise NotImplementedError

    def cancel(self, job: Job) -> None:
        """Stop a job that waits or runs; a running one keeps what it has for `resume`."""
        raise NotImplementedError

    def pause(self, job: Job) -> None:
        """Hold a running job before its next step, or a waiting one before its turn."""
        raise NotImplementedError

    def resume(self, job: Job) -> None:
        """Go on with a paused job, or with one that was interrupted, cancelled or failed, from where it was."""
        raise NotImplementedError

    def finish(self, job: Job) -> None:
        """Stop here and keep it: make the mesh from what there is."""
        raise NotImplementedError

    def retry(self, job: Job) -> None:
        """Make a job again that is over, from its beginning."""
        raise NotImplementedError

    def remove(self, job: Job) -> None:
        """Take a job out of the list and delete its folder; a running one is cancelled first."""
        raise NotImplementedError

    def save(self, job: Job) -> None:
        """Write down what the UI changed in a job (placement, inserted)."""
        raise NotImplementedError

    def start_engine(self) -> None:
        """Start the engine although there is no job, so that models and devices become known."""
        raise NotImplementedError

    def stop_engine(self) -> None:
        """End an engine that has no job (its memory is given back). Returns at once."""
        raise NotImplementedError

    def tick(self, budget_s: float = 0.008) -> list[Change]:
        """Do what is due for at most about `budget_s` seconds and return what changed."""
        raise NotImplementedError

    def close(self) -> None:
        """End the engine and write the journal; less than 2 s. A running job is INTERRUPTED."""
        raise NotImplementedError
