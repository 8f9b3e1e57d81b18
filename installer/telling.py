"""How the set-up reports: lines on a terminal, or one JSON object a line for a program that listens."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

LINES_SHOWN = 200  # characters of one line of a step's output that a listener gets


class Terminal:
    """Reports to a person: a line for each step. A terminal that can rewrite a line also counts the seconds."""

    pip_options: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._rewrites = sys.stdout.isatty()

    def say(self, text: str) -> None:
        """Show a line at once."""
        print(text, flush=True)

    def stage(self, begin: float, end: float) -> None:
        """Note which part of the whole the next steps are.

        begin, end: float, the part's ends, in [0, 1].
        """

    def began(self, label: str) -> None:
        """Report that a step begins.

        label: str, what the step does.
        """
        if not self._rewrites:
            self.say(f"{label} ...")

    def passing(self, label: str, seconds: float, output: str) -> None:
        """Report that a step goes on.

        label: str, what the step does.
        seconds: float, since it began.
        output: str, what its program has printed since the last call.
        """
        if self._rewrites:
            print(f"\r{label} ... {seconds:.0f} s ", end="", flush=True)

    def ended(self, label: str, seconds: float) -> None:
        """Report that a step has ended, well or not.

        label: str, what the step does.
        seconds: float, that it took.
        """
        if self._rewrites:
            self.say(f"\r{label} ... {seconds:.0f} s ")

    @property
    def cancelled(self) -> bool:
        """Whether the steps must stop. On a terminal Ctrl-C is an exception instead."""
        return False


class JsonLines(Terminal):
    """Reports to a program: {"type": "stage" | "progress" | "log", ...}, one a line. Any thread may call `cancel`."""

    pip_options = ("--progress-bar", "raw")

    def __init__(self, packages: int) -> None:
        super().__init__()
        self._packages = max(1, packages)
        self._begin = self._end = 0.0
        self._seen = 0
        self._fraction = 0.0
        self._cancelled = False

    def emit(self, **message: Any) -> None:
        """Print one message."""
        print(json.dumps(message), flush=True)

    def say(self, text: str) -> None:
        self.emit(type="log", text=text)

    def stage(self, begin: float, end: float) -> None:
        self._begin, self._end = begin, end
        self._seen, self._fraction = 0, 0.0

    def began(self, label: str) -> None:
        self.emit(type="stage", text=label, fraction=round(self._begin, 4))

    def passing(self, label: str, seconds: float, output: str) -> None:
        for line in output.splitlines():
            self._count(line.strip())
        fraction = self._begin + (self._end - self._begin) * min(self._fraction, 0.98)
        self.emit(type="progress", text=label, fraction=round(fraction, 4), seconds=round(seconds, 1))

    def _count(self, line: str) -> None:
        bar = re.fullmatch(r"Progress (\d+) of (\d+)", line)
        if bar is not None:
            done, size = int(bar[1]), int(bar[2])
            if size > 50_000_000:  # one large file takes most of the time; the others are counted below
                self._fraction = max(self._fraction, 0.9 * done / size)
            return
        if line.startswith(("Collecting ", "Requirement already satisfied: ")):
            self._seen += 1
            self._fraction = max(self._fraction, 0.7 * min(1.0, self._seen / self._packages))
        elif line.startswith("Installing collected packages"):
            self._fraction = max(self._fraction, 0.75)
        if line:
            self.emit(type="log", text=line[:LINES_SHOWN])

    def ended(self, label: str, seconds: float) -> None:
        self.emit(type="log", text=f"{label}: {seconds:.0f} s")

    def cancel(self) -> None:
        """End the present step and begin no other."""
        self._cancelled = True

    @property
    def cancelled(self) -> bool:
        return self._cancelled
