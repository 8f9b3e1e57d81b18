"""A job on a machine of a Ray cluster: the ordinary process in a folder of this machine, its files handed back.

Nothing here imports Ray: its objects are made into actors by ray_driver.py, and work without it too.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import queue
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dreamfusion_engine
from dreamfusion_engine.batch.bundle import Bundle, Packer, unpack
from dreamfusion_engine.batch.carried import Parcel, Shelf, carried_variable
from dreamfusion_engine.batch.engine_process import EngineProcess, died, job_command, job_environment
from dreamfusion_engine.batch.news import News, Outcome
from dreamfusion_engine.batch.room import cards
from dreamfusion_engine.errors import RunError
from dreamfusion_engine.inputs.outside_text import first_line
from dreamfusion_engine.machine.cache_folder import cache_folder
from dreamfusion_engine.machine.disk import disk_full, is_full
from dreamfusion_engine.machine.file_lock import only_one

_LISTEN = 1.0  # seconds that a question waits for news
_PACK_SHARE = 20.0  # times that packing took, between two checkpoints that are handed back
_LOCK = ".node.lock"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What there is to say of a job.

    news: News each.
    bundle: Bundle of new files; None for none.
    """

    news: list[News]
    bundle: Bundle | None = None


def facts() -> dict[str, Any]:
    """Return what decides a mesh, and the room, on this machine: versions, cards, host, disk."""
    folder = work_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "engine": dreamfusion_engine.__version__,
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch").partition("+")[0],
        "host": platform.node()[:60],
        "cards": [card.total for card in cards("auto")],
        "disk_free": shutil.disk_usage(folder).free,
        "folder": str(folder),
    }


def work_folder() -> Path:
    """Return the folder of this machine for jobs at work."""
    return cache_folder() / "batch"


class NodeJob:
    """One job at work.

    program: words that call the engine; its first is replaced by this machine's Python.
    options: words of every job.
    threads: int, of the run on a CPU.
    every_s: float, seconds between two checkpoints that are handed back, at least.
    """

    def __init__(self, program: Sequence[str], options: Sequence[str], threads: int, every_s: float) -> None:
        self._program, self._options, self._threads, self._every = list(program), list(options), threads, every_s
        self._shelf = Shelf(work_folder() / "carried")
        self._places: dict[str, str] = {}
        self._heard: queue.Queue[News] = queue.Queue()
        self._stack = contextlib.ExitStack()
        self._process: EngineProcess | None = None
        self._packer: Packer | None = None
        self._marks: dict[str, int] = {}
        self._packed_at, self._pack_s = time.monotonic(), 0.0

    def lacks(self, parcel: Parcel) -> bool:
        """Return whether a parcel has to be sent; where it has not, the job will find it.

        parcel: Parcel.
        """
        self._places[parcel.given] = str(self._shelf.place(parcel))
        if self._shelf.has(parcel):
            return False
        self._shelf.begin(parcel)
        return True

    def take(self, parcel: Parcel, name: str, offset: int, piece: bytes) -> None:
        """Write a piece of a parcel; as `Shelf.take`."""
        self._shelf.take(parcel, name, offset, piece)

    def close(self, parcel: Parcel) -> None:
        """Check a parcel; as `Shelf.close`."""
        self._shelf.close(parcel)

    def begin(self, job: Mapping[str, Any], files: Bundle) -> str:
        """Begin the job, or go on with it from the files of its folder. Returns this machine's name.

        job: {"name", "prompt", "seed"}.
        files: Bundle of the folder as it is.
        Raises OSError.
        """
        own, run = self.room(str(job["name"]), files)
        command = job_command([*here(self._program)], self._options, job, run)
        self._process = EngineProcess(str(job["name"]), command, self.environment, own / "log.txt", self._heard.put)
        return platform.node()[:60]

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the job's process."""
        return job_environment(self._threads, carried_variable(self._places))

    def room(self, name: str, files: Bundle) -> tuple[Path, Path]:
        """Make a folder of this machine for the job; return it, and the run's own folder in it.

        name: str, of the run's folder.
        files: Bundle of the run's folder as it is.
        Raises OSError.
        """
        root = work_folder()
        root.mkdir(parents=True, exist_ok=True)
        sweep(root)
        own = Path(tempfile.mkdtemp(prefix="job-", dir=root))
        self._stack.callback(shutil.rmtree, own, ignore_errors=True)
        self._stack.enter_context(only_one(own / _LOCK, _never))
        run = own / name
        unpack(files, run)
        self._packer = Packer(run)
        self._packer.pack()  # what came is known on the other side
        self._marks = self._packer.checkpoint_marks()
        return own, run

    def report(self, stop: bool = False) -> Report:
        """Return the news since the last time, with a checkpoint where a new one is due; all files at the end.

        stop: bool, whether the job is to stop with a checkpoint.
        """
        assert self._process is not None and self._packer is not None
        if stop:
            self._process.stop()
        news = self._listened()
        ended = next((each.outcome for each in news if each.outcome is not None), None)
        bundle = None
        try:
            bundle = self.packed(at_once=ended is not None)
        except OSError as error:
            self._process.kill()
            news.append(News(kind="ended", job=self._process.name, outcome=failed_by(error, platform.node()[:60])))
        return Report(news=news, bundle=bundle)

    def packed(self, *, at_once: bool) -> Bundle | None:
        """Return the new files, where a checkpoint is due to be handed back; None where none is.

        at_once: bool, whether it is due in any case.
        Raises OSError.
        """
        assert self._packer is not None
        if not at_once and not self._due():
            return None
        began = time.monotonic()
        bundle = self._packer.pack()
        self._marks = self._packer.checkpoint_marks()
        self._packed_at = time.monotonic()
        self._pack_s = self._packed_at - began
        return bundle

    def leave(self) -> None:
        """End what is at work, and take its folder away."""
        if self._process is not None:
            self._process.kill()
            self._process.join(10.0)
        self._stack.close()

    def _listened(self) -> list[News]:
        found: list[News] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._heard.get(timeout=_LISTEN))
            while True:
                found.append(self._heard.get_nowait())
        return found

    def _due(self) -> bool:
        assert self._packer is not None
        wait = max(self._every, _PACK_SHARE * self._pack_s)
        return time.monotonic() - self._packed_at >= wait and self._packer.checkpoint_marks() != self._marks


def failed_by(error: Exception, where: str) -> Outcome:
    """Return the end of a job that a machine could not do.

    error: Exception.
    where: str, the machine, for people.
    """
    if isinstance(error, OSError) and is_full(error):
        full = disk_full(f"{where}: {error}.", "Make room there, and give the same command to go on.")
        return Outcome(fate="failed", trouble=full.to_json())
    return Outcome(fate="died", trouble=died(f"{where}: {type(error).__name__}: {first_line(str(error)).rstrip('.')}."))


def sweep(root: Path) -> None:
    """Take away the folders of jobs whose processes were killed.

    root: Path of the folder for jobs at work.
    """
    for folder in root.glob("job-*"):
        with contextlib.suppress(RunError, OSError):
            if time.time() - folder.stat().st_mtime < 60.0:  # it is being made, or its orphan still writes
                continue
            with only_one(folder / _LOCK, _never):
                shutil.rmtree(folder, ignore_errors=True)


def _never(holder: str) -> RunError:
    return RunError("input.output_busy", what="The folder of a job is held.", why=f"{holder}.", fix="Try again.")


def here(program: list[str]) -> list[str]:
    """Return the words that call the engine, with this machine's Python.

    program: words of another machine; its first is the Python there.
    """
    return [sys.executable, *program[1:]]
