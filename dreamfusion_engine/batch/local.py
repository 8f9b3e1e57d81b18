"""Jobs on this machine: as many processes side by side as there is room for."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dreamfusion_engine.batch.engine_process import EngineProcess, job_command, job_environment
from dreamfusion_engine.batch.job_queue import JobQueue
from dreamfusion_engine.batch.news import News
from dreamfusion_engine.batch.room import Slot
from dreamfusion_engine.commands.console import duration_text
from dreamfusion_engine.machine.disk import output_error

_ASKED_EVERY = 0.2  # seconds
STOP_SECONDS = 600.0  # for a step and its checkpoint, or for the mesh of a run that has ended its training
EMPTY_SECONDS = 15.0  # for a run that has not done a step: it loads its model, hears no signal and has nothing to save
_TOLD_EVERY = 20.0  # seconds, while runs are waited for
LOGS = "logs"


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a place of work is to do.

    jobs: {"name", "prompt", "seed"} each.
    folder: Path of the batch, in which every job has a folder of its name.
    options: words of every run.
    threads: int, of every run on a CPU.
    program: words that call the engine.
    """

    jobs: Sequence[Mapping[str, Any]]
    folder: Path
    options: Sequence[str]
    threads: int
    program: Sequence[str]


def work_here(work: Work, slots: Sequence[Slot], tell: Callable[[News], None], stopped: Callable[[], bool]) -> None:
    """Run the jobs in this machine's slots until all have ended, or until they have been stopped.

    work: Work.
    slots: Slot each.
    tell: called with News of every job, in this thread.
    stopped: asked whether to stop; every job then keeps a checkpoint.
    Raises InputError where a log cannot be written.
    """
    waiting, free = JobQueue(work.jobs), list(reversed(slots))
    heard: queue.Queue[News] = queue.Queue()
    running: dict[str, tuple[EngineProcess, Mapping[str, Any], Slot]] = {}
    tell(News(kind="places", count=len(slots)))
    until, told = 0.0, float("-inf")
    try:
        while running or (len(waiting) and not until):
            if stopped() and not until:
                until = time.monotonic() + STOP_SECONDS
                for process, _, _ in running.values():
                    process.stop()
            if until and running and time.monotonic() - told > _TOLD_EVERY:
                told = time.monotonic()
                tell(News(kind="note", text=_stopping([each for each, _, _ in running.values()], until - told)))
            while free and not until and (job := waiting.next()) is not None:
                slot = free.pop()
                running[job["name"]] = (_begin(work, job, slot, heard.put), job, slot)
                tell(News(kind="began", job=job["name"], where=slot.where))
            for process, _, _ in running.values() if until else ():
                if time.monotonic() > (until if process.has_work else until - STOP_SECONDS + EMPTY_SECONDS):
                    process.kill()
            try:
                news = heard.get(timeout=_ASKED_EVERY)
            except queue.Empty:
                continue
            if news.outcome is None:
                waiting.progressed(news.job, news.share)
                tell(news)
                continue
            _, job, slot = running.pop(news.job)
            free.append(slot)
            end = news.outcome if until else waiting.ended(job, news.outcome)
            if until and news.outcome.fate == "died":  # it took too long to stop
                end = replace(news.outcome, fate="stopped")
            if end is None:
                tell(News(kind="note", job=news.job, text=f"{news.outcome.trouble['why']} It is tried again."))
            else:
                tell(News(kind="ended", job=news.job, outcome=end))
    finally:
        for process, _, _ in running.values():  # only where something failed, or at a second Ctrl-C
            process.kill()


def _stopping(running: Sequence[EngineProcess], seconds: float) -> str:
    """What the stop of a batch waits for, and for how long at most."""
    saving = sum(process.has_work for process in running)
    parts = []
    if saving:
        runs = "1 run saves" if saving == 1 else f"{saving} runs save"
        parts.append(f"{runs} after the present step, or with the mesh where one was begun")
    if empty := len(running) - saving:
        parts.append(f"{empty} {'has' if empty == 1 else 'have'} not done a step and will begin anew")
    limit = max(0.0, seconds if saving else seconds - STOP_SECONDS + EMPTY_SECONDS)
    return f"Stopping: {'; '.join(parts)}. This takes at most {duration_text(limit)}; Ctrl-C again stops at once."


def _begin(work: Work, job: Mapping[str, Any], slot: Slot, hear: Callable[[News], None]) -> EngineProcess:
    folder = work.folder / job["name"]
    environment = job_environment(work.threads, slot.environment)
    command = job_command(work.program, work.options, job, folder)
    try:
        return EngineProcess(job["name"], command, environment, work.folder / LOGS / f"{job['name']}.txt", hear)
    except OSError as error:
        raise output_error(work.folder, error) from error
