"""Queues over scripted engines, ticked as Blender's timer would, for the tests of the core."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from addon.inside.effort import Effort, counted

from blender_addon.core.engine.process import EngineProcess
from blender_addon.core.job import Job, Recipe
from blender_addon.core.jobs.queue import Change, JobQueue, Patience
from blender_addon.core.jobs.store import JobStore

SCRIPTED_ENGINE = Path(__file__).resolve().parents[2] / "fakes" / "scripted_engine.py"
TICK_S = 0.02
WAIT_S = 600.0  # for what will come unless something hangs: what takes a second alone may take a minute beside others
HASTY = Patience(start=WAIT_S, load=2.5, silence=2.5, cancel=1.0)
# A tick is to compute for 10 ms at most, which benchmarks/speed/addon_ticks.py measures. Tests give it five times that,
# and count only the processor's time: programs that share caches and cores stretch even that two or three times.
COMPUTING_S = 0.050


def scripted(*options: str) -> list[str]:
    """The command of a scripted engine."""
    return [sys.executable, str(SCRIPTED_ENGINE), *options, "serve"]


class Driver:
    """A queue with the Blender around it: ticks, and keeps every change and every tick's time.

    Where `counting` is set, ticks are counted as well, into `efforts`; they are slower meanwhile.
    """

    def __init__(
        self,
        root: Path,
        *options: str,
        command: Sequence[str] | None = None,
        local: bool = True,
        keep_loaded_s: float = 300.0,
        patience: Patience | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.root = root
        self.options = options
        self.engines: list[EngineProcess] = []
        self.changes: list[Change] = []
        self.ticks: list[float] = []  # seconds
        self.work: list[float] = []  # seconds of them that the main thread was computing, not waiting for its turn
        self.counting = False
        self.efforts: list[Effort] = []

        def launch() -> EngineProcess:
            engine = EngineProcess(
                command or scripted(*self.options), log=root / "engine.log", local=local, environ=environ
            )
            self.engines.append(engine)
            return engine

        self.queue = JobQueue(JobStore(root / "jobs"), launch, keep_loaded_s=keep_loaded_s, patience=patience)

    def tick(self) -> list[Change]:
        """One tick."""
        if self.counting:
            with counted() as effort:
                changes = self.queue.tick()
            self.efforts.append(effort)
            self.changes += changes
            return changes
        began, worked = time.perf_counter(), time.thread_time()
        changes = self.queue.tick()
        self.ticks.append(time.perf_counter() - began)
        self.work.append(time.thread_time() - worked)
        self.changes += changes
        return changes

    def until(self, condition: Callable[[], object], timeout: float = WAIT_S) -> None:
        """Tick until the condition holds. Fails the test after `timeout`, in which it must come unless all hangs."""
        began = time.monotonic()
        while True:
            self.tick()
            if condition():
                return
            assert time.monotonic() - began < timeout, self.story()
            time.sleep(TICK_S)

    def over(self, job: Job, timeout: float = WAIT_S) -> Job:
        """Tick until the job is over."""
        self.until(lambda: job.state.over, timeout)
        return job

    def pass_time(self, seconds: float) -> None:
        """Tick for so long."""
        until = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= until)

    def topics(self, job: Job | None = None) -> list[str]:
        """The topics of the changes so far, of one job or of all."""
        return [change.topic for change in self.changes if job is None or change.job is job]

    def story(self) -> str:
        """What happened, for the message of a failed test."""
        log = self.root / "engine.log"
        words = log.read_text(errors="replace")[-2000:] if log.is_file() else "(no log)"
        jobs = [(str(job.state), job.step, job.trouble) for job in self.queue.jobs]
        return f"{jobs}\nengine {self.queue.engine_state}: {self.queue.engine_trouble}\n{self.topics()[-20:]}\n{words}"


@contextlib.contextmanager
def driving(
    root: Path,
    *options: str,
    command: Sequence[str] | None = None,
    local: bool = True,
    keep_loaded_s: float = 300.0,
    patience: Patience | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Driver]:
    """A Driver whose queue is closed at the end."""
    driver = Driver(
        root,
        *options,
        command=command,
        local=local,
        keep_loaded_s=keep_loaded_s,
        patience=patience,
        environ=environ,
    )
    try:
        yield driver
    finally:
        driver.queue.close()


def add(driver: Driver, prompt: str, steps: int = 30) -> Job:
    """Queue a job."""
    return driver.queue.add(Recipe(prompt, settings={"optimize": {"steps": steps}}))


def wait_for(condition: Callable[[], object], timeout: float = WAIT_S) -> None:
    """Wait until the condition holds. Fails the test after `timeout`, in which it must come unless all hangs."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout, "waited in vain"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self").exists():
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    return state != "Z"
