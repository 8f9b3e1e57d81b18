"""For scripts inside Blender: the add-on with the scripted engine, and the timer's work done by hand.

Timers never fire while a script runs, so `until` calls the tick itself, as often as the tick asks for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import addon
import bpy

PATIENCE_S = 600.0  # for what will come unless something hangs, on a busy machine too
ENGINE = Path(__file__).resolve().parents[2] / "fakes" / "scripted_engine.py"


class Run:
    """The enabled add-on, with its modules at hand."""

    def __init__(self, *, steps: int = 20, step_s: float = 0.005) -> None:
        os.environ["DREAMFUSION_FAKE_STEP_S"] = str(step_s)
        addon.enable()
        chosen = addon.preferences()
        chosen.engine, chosen.command = "command", f'"{addon.ENGINE_PYTHON}" "{ENGINE}"'
        self.steps = steps
        self.pump = addon.part("ui.run.timer")
        self.sessions = addon.part("ui.run.session")
        self.previews = addon.part("ui.scene.preview_object")
        self.prepare()

    def prepare(self) -> None:
        """Set the scene's settings, which another file does not have."""
        self.settings.preset = "draft"
        self.settings.optimize.steps = self.steps

    @property
    def settings(self) -> Any:
        return bpy.context.scene.dreamfusion

    @property
    def session(self) -> Any:
        return self.sessions.current()

    @property
    def jobs(self) -> list[Any]:
        return list(self.session.queue.jobs)

    def greet(self) -> None:
        """Start the engine, and take its list of models in."""
        self.session.queue.start_engine()
        self.until(lambda: self.session.queue.engine_state == "ready", "the engine")
        self.ticks(0.1)

    def generate(self, prompt: str = "a hamburger") -> Any:
        """Press Generate; returns the job."""
        self.settings.prompt = prompt
        assert bpy.ops.dreamfusion.generate() == {"FINISHED"}
        return self.jobs[-1]

    def until(self, condition: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> None:
        """Tick until the condition holds. Raises AssertionError that says where everything stands."""
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                stands = [(job.state.value, job.stage, job.step, str(job.trouble)) for job in self.jobs]
                raise AssertionError(f"still not: {what}; jobs: {stands}; trouble: {self.session.trouble}")
            pause = self.pump.tick()
            assert 0.0 < pause <= 0.5, pause
            time.sleep(min(pause, 0.02))

    def hear_of_death(self) -> None:
        """Wait until the engine's process has ended; then as many ticks as hear what it said before, and no more."""
        process = self.session.queue._host._process
        while not process.ended:
            time.sleep(0.01)
        for _ in range(process.waiting + 1):
            self.pump.tick()

    def ticks(self, seconds: float) -> None:
        """Tick for a while."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end, "the clock")

    def inserted(self, job: Any) -> Callable[[], bool]:
        """A condition: the job's object is in the scene."""
        return lambda: bool(job.inserted)

    def preview(self) -> Any:
        """The growing object, or None."""
        return next((obj for obj in bpy.data.objects if self.previews.JOB in obj), None)

    def children(self) -> list[int]:
        """Process numbers of this Blender's children that live."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            if int(fields[1]) == os.getpid() and fields[0] != "Z":
                found.append(int(stat.parent.name))
        return found
