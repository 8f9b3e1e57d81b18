"""The jobs that a client of `serve` has given to a cluster: what was asked, and what was said about each since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dreamfusion_engine.batch.carried import Parcel
from dreamfusion_engine.batch.needs import Needs
from dreamfusion_engine.machine.run_folder import CONTEST

STEERING = ("pause", "resume", "finish", "choose", "cancel")


@dataclass
class Order:
    """A job of a client.

    name: str, its id on the wire.
    message: the command, as it came.
    data: bytes that came with it.
    output: Path of its folder on this machine.
    needs: Needs of its run.
    device: str, 'auto', 'cuda' or 'cpu'.
    parcels: models and adapters that it reads.
    told: commands about it that its machine has not heard yet.
    started: bool, whether the client was told that it began.
    kept: bool, whether there is a checkpoint of it here to go on from. One of an earlier run does not count, unless the
        client asked to resume.
    """

    name: str
    message: Mapping[str, Any]
    data: bytes
    output: Path
    needs: Needs
    device: str = "auto"
    parcels: list[Parcel] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    started: bool = False
    kept: bool = False
    paused: bool = False
    finish: bool = False
    cancelled: bool = False
    choice: int | None = None

    def __post_init__(self) -> None:
        self.kept = bool(self.message.get("resume"))

    def arrived(self, names: Sequence[str]) -> None:
        """Note which files have come back.

        names: within its folder.
        """
        self.kept |= any(name == CONTEST or name.startswith("checkpoint") for name in names)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Note a command for the job's machine.

        message: of STEERING.
        """
        kind = message["type"]
        if kind in ("pause", "resume"):
            self.paused = kind == "pause"
        elif kind == "finish":
            self.finish = True
        elif kind == "choose":
            self.choice = message["seed"]
        else:
            self.cancelled = True
        self.told.append(dict(message))

    def again(self) -> None:
        """Let another machine hear everything that still counts."""
        said: list[dict[str, Any]] = [{"type": "choose", "seed": self.choice}] if self.choice is not None else []
        wishes = (("pause", self.paused), ("finish", self.finish), ("cancel", self.cancelled))
        said += [{"type": kind} for kind, wanted in wishes if wanted]
        self.told = [{**each, "id": self.name} for each in said]

    def here(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return a message of its machine as this machine's: with its own folder, and without the other's.

        message: of the protocol.
        """
        found = dict(message)
        if found["type"] == "result":
            files = {name: str(self.output / name) for name in found["files"]}
            found |= {"folder": str(self.output), "files": files}
        return {**found, "id": self.name}
