"""What a tick of the queue reports."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

from ..job import Job

Topic = Literal["state", "progress", "picture", "mesh", "texture", "note", "result", "engine", "download", "cut_out"]


@dataclass(frozen=True)
class Change:
    """One thing that happened.

    job: Job that it happened to; None for 'engine', 'download' and 'cut_out'.
    topic: str, one of
        'state': job.state, job.wish or job.owner changed.
        'progress': the job's step, stage or speed changed.
        'picture': name is 'latest' or 'views', data a PNG.
        'mesh': data holds vertices float32[V, 3], triangles int32[T, 3], colours uint8[V, 3]; all have been checked.
        'texture': data is the PNG of a small texture; name is the number of the part that has it.
        'note': name is its code; the words are the last of job.notes.
        'result': data is the GLB; job.result is on disk already.
        'engine': queue.engine_state changed.
        'download': queue.downloads changed.
        'cut_out': name is what it was asked by, data a PNG with alpha; b"" where queue.cut_outs.troubles says why not.
    vertices, triangles: int, V and T of a mesh.
    step: int, the training step of a picture or mesh.
    """

    job: Job | None
    topic: Topic
    name: str = ""
    data: bytes = b""
    vertices: int = 0
    triangles: int = 0
    step: int = 0


class Changes:
    """Changes on their way to the UI. Only a job's newest picture of each name, mesh and progress are kept."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, Change] = {}
        self._serial = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def say(self, change: Change) -> None:
        """Add a change at the end."""
        key: Hashable
        if change.topic in ("progress", "picture", "mesh", "texture", "download"):
            key = (change.topic, change.job.id if change.job else "", change.name)
            self._waiting.pop(key, None)
        else:
            key = self._serial
            self._serial += 1
        self._waiting[key] = change

    def take(self) -> list[Change]:
        """Return all changes in order and empty the list."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        return taken
