"""A place other than this process where the jobs of a server run, such as a cluster. cli/ gives one to the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from dreamfusion_engine.request.run import Request


class Elsewhere(Protocol):
    """Where jobs run, several at once. Its messages come from a thread of its own."""

    def open(self, say: Callable[[str, Mapping[str, Any], bytes], None], changed: Callable[[], None]) -> None:
        """Go there.

        say: called with a job's id, a message of the protocol about it, and the data of that.
        changed: called when `report` has changed.
        Raises EngineError where it cannot be used.
        """

    @property
    def busy(self) -> bool:
        """Whether it has a job."""

    def report(self) -> dict[str, Any]:
        """What was found there, ready for JSON: `cluster` of the message `devices`."""

    def give(self, name: str, message: Mapping[str, Any], data: bytes, request: Request) -> None:
        """Let a job wait for its turn there.

        name: str, its id.
        message: the client's command, which has been found good.
        data: bytes that came with it.
        request: Request that came of it.
        Raises EngineError where it cannot take the job.
        """

    def tell(self, name: str, message: Mapping[str, Any]) -> None:
        """Hand on a command about a job.

        name: str, its id.
        message: of the protocol.
        """

    def end(self) -> None:
        """Stop every job with a checkpoint, and wait for that, a short time at most."""
