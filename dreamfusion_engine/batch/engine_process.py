"""One job as a process: the ordinary command `generate`, its JSON lines read, stopped with a checkpoint, or killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from dreamfusion_engine.batch.news import News, Outcome, share_of, trained
from dreamfusion_engine.errors import RunError
from dreamfusion_engine.machine.child_process import import_path, module_words
from dreamfusion_engine.machine.run_folder import can_resume
from dreamfusion_engine.wire.bounded_json import UnsafeJson, parse_json
from dreamfusion_engine.wire.protocol import LINE_LIMIT

PROGRAM = tuple(module_words("dreamfusion_engine"))
# What start_new_session is on Windows: Ctrl-C of the console does not reach it, and Ctrl-Break can be sent to it.
OWN_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
_STEP = 0.01  # of a job's work, between two pieces of news of it
_LOG_TAIL = 300  # characters of the end of a log that an error shows


def job_command(program: Sequence[str], options: Sequence[str], job: Mapping[str, Any], folder: Path) -> list[str]:
    """Return the command of a job. It goes on from the folder's checkpoint where there is one.

    program: words that call the engine.
    options: words of every job of the batch.
    job: {"prompt", "seed"}.
    folder: Path of the job's run.
    """
    resume = ["--resume"] if can_resume(folder) else []
    own = ["--seed", str(job["seed"]), "--output", str(folder), "--json", *resume]
    return [*program, "generate", *options, *own, "--", str(job["prompt"])]


class EngineProcess:
    """A running job.

    name: str, of the job.
    command: its words.
    environment: of the process.
    log: Path of the file that its standard error is added to.
    hear: called with News from a thread of its own; the last is 'ended'.
    Raises OSError where the log cannot be written or no process can be started.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, hear: Callable[[News], None]
    ) -> None:
        self.name = name
        self._hear, self._log = hear, log
        self._began = time.monotonic()
        self._told_to_stop = False
        self.has_work = False  # whether a stop has something to save: it trains, or makes its mesh
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors, _interruptible():
            # In a group of its own, Ctrl-C on the terminal reaches the batch alone, which stops its jobs in order.
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
                start_new_session=sys.platform != "win32",
                creationflags=OWN_GROUP,
            )
        assert self._process.stdout is not None
        self._stdout: BinaryIO = self._process.stdout  # type: ignore[assignment]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def stop(self) -> None:
        """Ask for a checkpoint and the end."""
        if self._told_to_stop:
            return
        self._told_to_stop = True
        try:
            if sys.platform == "win32":
                self._process.send_signal(signal.CTRL_BREAK_EVENT)
            else:
                self._process.send_signal(signal.SIGINT)
        except OSError:  # Windows, where there is no console: a run whose reader has gone stops with a checkpoint
            with contextlib.suppress(OSError):
                self._stdout.close()

    def kill(self) -> None:
        """End it now, and what it started."""
        end_group(self._process)

    def join(self, seconds: float) -> bool:
        """Wait for its end; return whether it came.

        seconds: float, at most.
        """
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _listen(self) -> None:
        last: dict[str, Any] = {}
        told = -1.0
        with contextlib.suppress(OSError, ValueError):  # closed by `stop`
            while line := self._stdout.readline(LINE_LIMIT):
                try:
                    message = parse_json(line)
                except UnsafeJson:
                    continue
                kind = message.get("type") if isinstance(message, dict) else None
                if kind in ("result", "failed", "cancelled"):
                    last = message
                if kind == "progress":
                    self.has_work |= trained(message)
                if kind == "progress" and not told <= (share := share_of(message)) < told + _STEP:
                    told = share
                    self._hear(News(kind="progress", job=self.name, share=share))
        code = self._process.wait()
        self._hear(News(kind="ended", job=self.name, outcome=self._outcome(code, last)))

    def _outcome(self, code: int, last: Mapping[str, Any]) -> Outcome:
        seconds = round(time.monotonic() - self._began, 2)
        kind = last.get("type")
        if kind == "result" and code == 0:
            judge = (last.get("report") or {}).get("judge") or {}
            score = judge.get("score")
            return Outcome(fate="done", seconds=seconds, score=score if isinstance(score, int | float) else None)
        if kind == "failed":
            trouble = {name: str(last.get(name, ""))[:4000] for name in ("code", "what", "why", "fix")}
            return Outcome(fate="failed", trouble=trouble, seconds=seconds)
        if kind == "cancelled" or self._told_to_stop:
            return Outcome(fate="stopped", seconds=seconds)
        return Outcome(fate="died", trouble=died(how_it_ended(code, self._log)), seconds=seconds)


def how_it_ended(code: int, log: Path) -> str:
    """Say how a process of the engine ended, with the end of its log, for people.

    code: int, its exit code; below 0 the signal.
    log: Path of what it wrote to stderr.
    """
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    try:
        text = log.read_bytes()[-4000:].decode("utf-8", "replace").strip()
    except OSError:
        return f"Its process ended with {how}."
    last = f"Its last words: {text.splitlines()[-1][-_LOG_TAIL:]}" if text else "It left no words."
    return f"Its process ended with {how}. {last}"


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let a process that is started here take SIGINT. It inherits what is blocked, and Ray's workers block that."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a group of its own, and all that it started. One that has ended is left alone.

    process: of `OWN_GROUP` or a session of its own.
    """
    if sys.platform == "win32":
        tree = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(tree, stdin=subprocess.DEVNULL, capture_output=True, timeout=20.0, check=False)
        with contextlib.suppress(OSError):
            process.kill()
    else:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


def died(why: str) -> dict[str, str]:
    """Return the trouble of a job whose process ended without saying why.

    why: str.
    """
    return RunError(
        "batch.died",
        what="The run ended without a word.",
        why=why.strip(),
        fix="Was memory short, or did somebody end it? The same command tries again; with --jobs 1 it takes less.",
    ).to_json()


def job_environment(threads: int, changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a job's process.

    threads: int, that it computes with on a CPU; 0: as the environment says.
    changes: variables over it; an empty value takes one away.
    """
    said = {**os.environ, "PYTHONPATH": import_path(), **(changes or {})}
    if threads:
        said["OMP_NUM_THREADS"] = str(threads)
    return {name: value for name, value in said.items() if value}
