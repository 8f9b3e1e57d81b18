"""A job of the server: a request with what has become of it, shared between the reader and the run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from dreamfusion_engine.request import Request


class Job:
    """One request on its way: waiting, running, over. The reader changes what is wanted; the run asks for it."""

    def __init__(self, name: str, request: Request) -> None:
        self.name = name
        self.request = request
        self.state: Literal["waiting", "running", "over"] = "waiting"
        self.wanted: Literal["continue", "finish", "cancel"] = "continue"
        self.paused = False
        self.changed = threading.Condition()

    def want(self, wanted: Literal["finish", "cancel"]) -> None:
        """Ask the run to finish early or to stop; a wish to stop is never taken back."""
        with self.changed:
            if self.wanted != "cancel":
                self.wanted = wanted
            self.changed.notify_all()

    def hold(self, paused: bool) -> None:
        """Pause the run before its next step, or let it go on."""
        with self.changed:
            self.paused = paused
            self.changed.notify_all()

    def next_move(
        self, ending: Callable[[], bool], say: Callable[[Literal["paused", "resumed"]], None]
    ) -> Literal["continue", "finish", "cancel"]:
        """What the run should do at its next step. Blocks while the job is paused, and says so.

        ending: whether the whole conversation is over, which cancels. say: tells the client.
        """

        def held() -> bool:
            return self.paused and self.wanted == "continue" and not ending()

        with self.changed:
            if held():
                say("paused")
                while held():
                    self.changed.wait(0.2)  # the end of the conversation wakes nobody
                say("resumed")
            return "cancel" if ending() else self.wanted
