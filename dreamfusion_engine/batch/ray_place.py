"""A Ray cluster as the place of a batch: the process that speaks with it, begun again where the cluster goes away."""

from __future__ import annotations

import contextlib
import importlib.util
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dreamfusion_engine.batch.carried import Parcel, parcels_of
from dreamfusion_engine.batch.engine_process import OWN_GROUP, end_group, job_environment
from dreamfusion_engine.batch.local import LOGS, Work
from dreamfusion_engine.batch.needs import Needs
from dreamfusion_engine.batch.news import News, told_news
from dreamfusion_engine.batch.ray_faults import cluster_gone, no_ray, one_card
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import Cancelled, EngineError, InputError, RunError, SetupError
from dreamfusion_engine.machine.child_process import module_words
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.wire.bounded_json import UnsafeJson, parse_json
from dreamfusion_engine.wire.protocol import LINE_LIMIT, encode

CARRY_SECONDS = 20.0  # between two checkpoints of a job that come back, at least
_PATIENCE = 600.0  # seconds that a cluster may be away
_AGAIN = 3.0  # seconds between two attempts
_SILENT = 240.0  # seconds without a word of the process that speaks with Ray
_ASKED_EVERY = 0.2
_KINDS: dict[str, type[EngineError]] = {kind.__name__: kind for kind in (InputError, SetupError, RunError, Cancelled)}
_UNREACHED = ("setup.cluster", "setup.cluster_machines")


class RayPlace:
    """A cluster.

    address: 'ray', 'ray://HOST:PORT' or 'HOST:PORT'.
    config: GenerateConfig of a run.
    needs: Needs of a run.
    most: int, jobs at once; 0: as many as there is room for.
    patience: float, seconds that it may be away.
    every_s: float, seconds between two checkpoints of a job that come back.
    Raises SetupError setup.ray where Ray is not installed, InputError for a card by its number.
    """

    def __init__(
        self,
        address: str,
        config: GenerateConfig,
        needs: Needs,
        *,
        most: int = 0,
        patience: float = _PATIENCE,
        every_s: float = CARRY_SECONDS,
    ) -> None:
        if importlib.util.find_spec("ray") is None:
            raise no_ray()
        if config.device not in ("auto", "cpu", "cuda"):
            raise one_card(config.device)
        self._address, self._config, self._needs = address, config, needs
        self._most, self._patience, self._every = most, patience, every_s

    def __call__(self, work: Work, tell: Callable[[News], None], stopped: Callable[[], bool]) -> None:
        """Run the jobs on the cluster; as `local.work_here`.

        Raises SetupError where the cluster cannot be used, RunError where it went away and did not come back.
        """
        open_jobs = {str(job["name"]): job for job in work.jobs}
        parcels = [parcel.to_json() for parcel in readable_parcels(self._config)]
        been_there, last = False, time.monotonic()
        while open_jobs:
            spec = self._spec(work, list(open_jobs.values()), parcels)
            end = _Conversation(spec, work.folder, open_jobs, tell, stopped)
            been_there |= end.connected
            last = time.monotonic() if end.connected else last
            if stopped() or not open_jobs:
                return
            if end.fatal is not None and not (been_there and end.fatal.code in _UNREACHED):
                raise end.fatal
            if not been_there and end.fatal is None:
                raise RunError(
                    "batch.driver",
                    what="The process that speaks with Ray ended without a word.",
                    why=f"Its exit code is {end.code}.",
                    fix=f"See {work.folder / LOGS / 'ray.txt'}.",
                )
            if time.monotonic() - last > self._patience:
                raise cluster_gone(self._patience)
            if end.connected:
                tell(
                    News(kind="note", text="The cluster is gone. Its jobs go on when it is back, from what came here.")
                )
            _wait(_AGAIN, stopped)

    def _spec(self, work: Work, jobs: list[Mapping[str, Any]], parcels: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "address": self._address,
            "jobs": [dict(job) for job in jobs],
            "folder": str(work.folder),
            "options": list(work.options),
            "threads": work.threads,
            "program": list(work.program),
            "parcels": parcels,
            "main": self._needs.main,
            "card": self._needs.card,
            "device": self._config.device,
            "most": self._most,
            "every_s": self._every,
        }


def readable_parcels(config: GenerateConfig) -> list[Parcel]:
    """Return `parcels_of` a run.

    config: GenerateConfig of it.
    Raises InputError for a file that cannot be read.
    """
    try:
        return parcels_of(config)
    except OSError as error:
        raise InputError(
            "input.carried",
            what="A file of the model cannot be read.",
            why=str(error)[:300],
            fix="Check the path and its permissions.",
        ) from error


class _Conversation:
    """One life of the process that speaks with Ray, from its start to its end.

    connected: bool, whether it came to know a cluster.
    fatal: the error that it ended with; None for none.
    code: int, its exit code.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        folder: Path,
        open_jobs: dict[str, Mapping[str, Any]],
        tell: Callable[[News], None],
        stopped: Callable[[], bool],
    ) -> None:
        self.connected, self.code = False, 0
        self.fatal: EngineError | None = None
        heard: queue.Queue[bytes | None] = queue.Queue()
        process = _started(folder)
        assert process.stdin is not None and process.stdout is not None
        threading.Thread(target=_read, args=(process.stdout, heard), daemon=True).start()
        asked_to_stop, last = False, time.monotonic()
        try:
            _write(process.stdin, encode(dict(spec)))
            while True:
                if stopped() and not asked_to_stop:
                    asked_to_stop = True
                    _write(process.stdin, b"stop\n")
                try:
                    line = heard.get(timeout=_ASKED_EVERY)
                except queue.Empty:
                    if time.monotonic() - last > _SILENT:
                        break
                    continue
                if line is None:
                    break
                last = time.monotonic()
                self._take(line, open_jobs, tell)
        finally:
            _end(process)
            self.code = process.returncode

    def _take(self, line: bytes, open_jobs: dict[str, Mapping[str, Any]], tell: Callable[[News], None]) -> None:
        try:
            message = parse_json(line)
        except UnsafeJson:
            return
        kind = message.get("kind")
        if kind == "fatal":
            self.fatal = _KINDS.get(message["name"], RunError)(**message["error"])
        elif kind != "alive":
            news = told_news(message)
            self.connected |= news.kind == "places"
            if news.outcome is not None and news.outcome.fate != "stopped":
                open_jobs.pop(news.job, None)
            tell(news)


def _started(folder: Path) -> subprocess.Popen[bytes]:
    log = folder / LOGS / "ray.txt"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            return subprocess.Popen(
                module_words("dreamfusion_engine.batch.ray_driver"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=job_environment(0),
                start_new_session=sys.platform != "win32",
                creationflags=OWN_GROUP,
            )
    except OSError as error:
        raise output_error(folder, error) from error


def _read(stream: Any, heard: queue.Queue[bytes | None]) -> None:
    with contextlib.suppress(OSError, ValueError):
        while line := stream.readline(LINE_LIMIT):
            heard.put(line)
    heard.put(None)


def _write(stream: Any, content: bytes) -> None:
    with contextlib.suppress(OSError):
        stream.write(content)
        stream.flush()


def _end(process: subprocess.Popen[bytes]) -> None:
    """See the process end; kill it where it does not."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(timeout=20.0)
    except subprocess.TimeoutExpired:
        end_group(process)
        process.wait()


def _wait(seconds: float, stopped: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stopped():
        time.sleep(_ASKED_EVERY)
