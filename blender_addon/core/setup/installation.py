"""The engine's own environment, made by a child process: the plan, progress, cancel and retry.

The child is `addon_child.py` of the set-up. A Python that fits the engine runs it: Blender's own, or another one on
this machine. The child writes JSON lines into a file that `poll` reads, so nothing here waits. Nothing is downloaded
before `start`. An environment counts only once its stamp says that it is complete.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..job import Trouble
from ..phrase import joined, phrase
from .child import SetupChild
from .interpreters import candidates

EXAMINE_SECONDS = 30.0  # for one Python to look at the machine; it takes under one
LOG_LINES = 8

State = Literal["idle", "examining", "ready", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class SetupPlan:
    """What an installation would be.

    python: Path of the interpreter that makes the environment.
    version: str, of that interpreter.
    environment: Path of the environment's folder.
    device: str, "CPU" or the card's name.
    why: str, what was found and why this build of torch follows; sentences.
    download_gb, disk_gb, free_gb: float, GB (10**9 bytes).
    """

    python: Path
    version: str
    environment: Path
    device: str
    why: str
    download_gb: float
    disk_gb: float
    free_gb: float

    def lines(self) -> list[str]:
        """The plan in words, one line each: download, disk, device, why, Python, folder."""
        return [
            phrase("Download: about {size:g} GB", size=self.download_gb),
            phrase("On disk: about {size:g} GB of {free:g} GB free", size=self.disk_gb, free=self.free_gb),
            phrase("Device: {device}", device=self.device),
            phrase("Why: {why}", why=self.why),
            phrase("Python: {version}", version=self.version),
            phrase("Folder: {folder}", folder=self.environment),
        ]


def package_source() -> Path:
    """The folder with the set-up and what it installs: `engine` in the packed add-on, else the checkout around it."""
    package = Path(__file__).resolve().parents[2]
    packed = package / "engine"
    return packed if packed.is_dir() else package.parent


class EngineSetup:
    """The set-up of one environment. `poll` it from a timer; every method returns at once.

    place: Path of the environment's folder.
    preferred_python: str, the only interpreter to try; '' to try those on this machine.
    torch: str, 'auto' or a build: 'cpu', 'cuda', 'rocm', 'mps', 'xpu'.
    """

    def __init__(self, place: Path, *, preferred_python: str = "", torch: str = "auto") -> None:
        self.place = Path(place)
        self.preferred_python = preferred_python
        self.torch = torch
        self.state: State = "idle"
        self.fraction: float | None = None
        self.stage = ""
        self.trouble: Trouble | None = None
        self.plan: SetupPlan | None = None
        self.python: Path | None = None
        self.log_tail: deque[str] = deque(maxlen=LOG_LINES)
        self._source = package_source()
        self._child: SetupChild | None = None
        self._candidates: list[list[str]] = []
        self._refusals: list[str] = []
        self._wants_start = False
        self._began = 0.0
        self._ended = 0.0

    @property
    def log_path(self) -> Path | None:
        """The file with everything that pip said, once there is one."""
        path = self.place / "install.log"
        return path if path.exists() else None

    @property
    def elapsed_s(self) -> float:
        """Seconds since `start`, up to now or to the end."""
        if not self._began:
            return 0.0
        return (self._ended or time.monotonic()) - self._began

    def take_torch(self, torch: str) -> None:
        """Take another build of torch; what was planned for the last one is dropped. While something runs, nothing.

        torch: str, 'auto' or a build.
        """
        if torch != self.torch and self.state not in ("examining", "running"):
            self.torch, self.plan = torch, None

    def examine(self) -> None:
        """Find a Python that fits, and what the installation would take. `poll` continues it. Needs no network."""
        if self.state in ("examining", "running"):
            return
        self.plan, self.trouble = None, None
        self._candidates = candidates(self.preferred_python)
        self._refusals = []
        self.state = "examining"
        self._next_candidate()

    def start(self) -> None:
        """Make the environment, after `examine` if that has not been done. Also tries again after a failure."""
        if self.state == "running":
            return
        if self.plan is None:
            self._wants_start = True
            self.examine()
            return
        self.trouble, self.fraction, self.stage = None, 0.0, phrase("Starting")
        self.log_tail.clear()
        self._began, self._ended = time.monotonic(), 0.0
        self._launch([str(self.plan.python)], "install", "running")

    def cancel(self) -> None:
        """Stop an installation. A half-made environment is never used; `start` makes it anew, from pip's cache."""
        self._wants_start = False
        if self._child is not None:
            self._child.ask_to_end()
            self.stage = phrase("Stopping")

    def close(self) -> None:
        """End the child, because Blender ends or the add-on is disabled."""
        if self._child is not None:
            self._child.ask_to_end()
            self._child.kill()
            self._child = None
        if self.state in ("examining", "running"):
            self.state = "cancelled"

    def poll(self) -> bool:
        """Read the child's news. Returns whether anything changed. Takes well under a millisecond."""
        child = self._child
        if child is None:
            return False
        over = child.over()  # asked first: what is read after the end is complete
        changed = False
        for message in child.messages():
            self._take(message)
            changed = True
        if over and self._child is child:
            self._child = None
            self._unexpected_end(child)
            changed = True
        return changed

    def _take(self, message: dict[str, Any]) -> None:
        message_type, text = message.get("type"), str(message.get("text", ""))
        if message_type in ("stage", "progress"):
            if self._child is not None and not self._child.ending:
                self.stage = text
            self.fraction = max(self.fraction or 0.0, float(message.get("fraction") or 0.0))
        elif message_type == "log":
            self.log_tail.append(text)
        elif message_type == "plan":
            self._take_plan(message)
        elif message_type == "done":
            self.python = Path(message["python"])
            self.fraction, self.stage = 1.0, phrase("Ready")
            self._end("done")
        elif message_type == "cancelled":
            self._end("cancelled")
        elif message_type == "failed" and self.state == "examining":
            self._refused(f"{message['what']} {message['why']}", message)
        elif message_type == "failed":
            self.trouble = Trouble("setup.failed", message["what"], message["why"], message["fix"])
            self._end("failed")

    def _take_plan(self, message: dict[str, Any]) -> None:
        self.plan = SetupPlan(
            python=Path(message["python"]),
            version=message["version"],
            environment=Path(message["environment"]),
            device=message["device"],
            why=str(message.get("why", ""))[:1000],
            download_gb=message["download_gb"],
            disk_gb=message["disk_gb"],
            free_gb=message["free_gb"],
        )
        self._end("ready")
        if self._wants_start:
            self._wants_start = False
            self.start()

    def _end(self, state: State) -> None:
        self.state = state
        self._ended = time.monotonic()
        self._child = None

    def _next_candidate(self) -> None:
        if not self._candidates:
            asked = joined(self._refusals[:3]) or phrase("There is no Python on this machine besides.")
            self.trouble = Trouble(
                "setup.python",
                "No Python was found that the engine can run on.",
                asked,
                "Install Python 3.10 to 3.13 (64-bit), or choose one in the add-on's preferences.",
            )
            self._wants_start = False
            self._end("failed")
            return
        self._launch(self._candidates.pop(0), "look", "examining")

    def _refused(self, why: str, message: dict[str, Any] | None = None) -> None:
        """Try the next Python, because this one does not fit. Give up if the machine is at fault."""
        self._child = None
        self._refusals.append(why)
        if message is not None and "Python" not in message["what"]:
            self.trouble = Trouble("setup.machine", message["what"], message["why"], message["fix"])
            self._wants_start = False
            self._end("failed")
            return
        self._next_candidate()

    def _launch(self, python: Sequence[str], command: str, state: State) -> None:
        script = self._source / "installer" / "addon_child.py"
        words = [*python, "-I", str(script), command, "--environment", str(self.place), "--torch", self.torch]
        try:
            self._child = SetupChild(words, self.place.parent, EXAMINE_SECONDS if command == "look" else None)
        except OSError as error:
            if state == "examining":
                self._refused(phrase("{program} cannot be started.", program=python[0]))
                return
            self.trouble = Trouble(
                "setup.failed",
                "The installation cannot be started.",
                str(error),
                phrase(
                    "Look whether you may write in {folder}, or choose another folder in the preferences.",
                    folder=self.place.parent,
                ),
            )
            self._end("failed")
            return
        self.state = state

    def _unexpected_end(self, child: SetupChild) -> None:
        if self.state == "examining":
            self._refused(phrase("{program} is no Python that works.", program=child.words[0]))
        elif child.ending:
            self._end("cancelled")
        else:
            why = child.last_words() or phrase("It said nothing.")
            fix = phrase("Try again; if it ends again, open the log.")
            self.trouble = Trouble("setup.failed", "The installation ended in the middle.", why, fix)
            self._end("failed")
