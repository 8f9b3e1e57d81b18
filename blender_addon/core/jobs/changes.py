"""What a tick of the queue has to tell."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

from ..job import Job

ChangeKind = Literal["state", "progress", "picture", "mesh", "note", "result", "engine", "download"]


@dataclass(frozen=True)
class Change:
    """One thing that happened, in the order in which it did.

    job: whose; None for 'engine' and 'download'. kind: 'state' (job.state, job.wish or job.owner), 'progress',
    'picture' (name 'latest' or 'views', data PNG), 'mesh' (data: vertices float32[V, 3], triangles int32[T, 3],
    colours uint8[V, 3]; sizes and indices have been checked), 'note' (name: its code; the words are the last of
    job.notes), 'result' (data: the GLB; job.result is on disk already), 'engine' (queue.engine_state), 'download'
    (queue.downloads). step: of a picture or mesh.
    """

    job: Job | None
    kind: ChangeKind
    name: str = ""
    data: bytes = b""
    vertices: int = 0
    triangles: int = 0
    step: int = 0


class Changes:
    """Changes on their way to the UI. Of pictures, meshes and progress only the newest of a job is kept."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, Change] = {}
        self._serial = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def say(self, change: Change) -> None:
        """Add a change at the end."""
        key: Hashable
        if change.kind in ("progress", "picture", "mesh", "download"):
            key = (change.kind, change.job.id if change.job else "", change.name)
            self._waiting.pop(key, None)
        else:
            key = self._serial
            self._serial += 1
        self._waiting[key] = change

    def take(self) -> list[Change]:
        """Everything in order; nothing is left."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        return taken
