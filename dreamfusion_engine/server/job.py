"""A job of the server: a request and its state, shared between the reader and the run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from dreamfusion_engine.request.run import Request


class Job:
    """One request that waits, runs or is over. The reader sets what is wanted; the run asks for it."""

    def __init__(self, name: str, task: str, request: Request) -> None:
        self.name = name
        self.task = task  # of work.TASKS
        self.request = request
        self.state: Literal["waiting", "running", "over"] = "waiting"
        self.wanted: Literal["continue", "finish", "cancel"] = "continue"
        self.chosen: int | None = None  # the seed of a contest that is to win
        self.paused = False
        self.changed = threading.Condition()

    def want(self, wanted: Literal["finish", "cancel"]) -> None:
        """Ask the run to finish early or to stop. A wish to stop is never taken back."""
        with self.changed:
            if self.wanted != "cancel":
                self.wanted = wanted
            self.changed.notify_all()

    def hold(self, paused: bool) -> None:
        """Hold the run before its next step while `paused`, else let it continue."""
        with self.changed:
            self.paused = paused
            self.changed.notify_all()

    def next_move(
        self, ending: Callable[[], bool], say: Callable[[Literal["paused", "resumed"]], None]
    ) -> Literal["continue", "finish", "cancel"]:
        """Return what the run must do at its next step. Blocks while the job is paused, and tells the client.

        ending: returns whether the whole conversation is over, which cancels.
        say: tells the client 'paused' or 'resumed'.
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
