"""A batch whose folder is a URL: it works in a folder of this machine, which is brought in line with the other."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec

from dreamfusion_engine.batch.news import News
from dreamfusion_engine.batch.plan import PLAN, Plan
from dreamfusion_engine.errors import InputError, SetupError
from dreamfusion_engine.inputs.outside_text import first_line
from dreamfusion_engine.machine.cache_folder import cache_folder

_URL = re.compile(r"[a-z][a-z0-9+.-]{1,30}://")
_HELD = "batch.lock"
_SIGN_EVERY = 20.0  # seconds between two signs of life in it ...
_SIGN_HOLDS = 120.0  # ... after which a batch without one counts as gone
_SAVE_EVERY = 60.0  # seconds between two savings of the checkpoints of jobs at work


def is_url(output: str) -> bool:
    """Return whether an output is a URL, and not a folder of this machine.

    output: str, as typed.
    """
    return bool(_URL.match(output))


@dataclass
class Remote:
    """The place behind a URL, and the folder of this machine that stands for it.

    url: str, such as s3://bucket/objects.
    """

    url: str
    _sent: dict[str, tuple[int, int]] = field(default_factory=dict)
    _signed: float = -1e9
    _saved: float = 0.0

    def __post_init__(self) -> None:
        try:
            self._system, self._root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError, OSError) as error:
            raise SetupError(
                "setup.url",
                what="This kind of URL cannot be written.",
                why=f"{self.url[:200]}: {first_line(str(error))}.",
                fix="Install what it needs, such as s3fs for s3:// or gcsfs for gs://, or give a folder.",
            ) from error
        self._root = str(self._root).rstrip("/")
        self._who = f"{platform.node()[:60]}/{os.getpid()}"

    @property
    def folder(self) -> Path:
        """The folder of this machine."""
        return cache_folder() / "batches" / hashlib.sha256(self.url.encode()).hexdigest()[:24]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the URL for one batch, and fetch the state that another machine may have left there.

        Raises InputError input.batch_busy while another machine works on it, input.output where it cannot be used.
        """
        try:
            self._check_free()
            self.sign()
            self._fetch()
        except OSError as error:
            raise self._unusable(error) from error
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                self._system.rm(f"{self._root}/{_HELD}")

    def sign(self) -> None:
        """Give a sign of life, where one is due. Raises OSError."""
        now = time.time()
        if now - self._signed >= _SIGN_EVERY:
            self._signed = now
            self._write(_HELD, json.dumps({"who": self._who, "at": now}).encode())

    def save(self, plan: Plan, names: list[str]) -> None:
        """Send the plan, and what is new in the folders of some jobs.

        plan: Plan, which has been written here.
        names: of the jobs.
        Raises InputError where the URL cannot be written.
        """
        try:
            for name in names:
                for path in sorted((self.folder / name).rglob("*")):
                    self._send(path)
                self._clear(name)
            self._send(self.folder / PLAN)
            self.sign()
        except OSError as error:
            raise self._unusable(error) from error

    def heard(self, plan: Plan, news: News, running: set[str]) -> None:
        """Save what a piece of news is about: a job that has ended, and now and then the checkpoints of the others.

        plan: Plan.
        news: News, which the plan has taken in.
        running: names of jobs at work; changed here.
        """
        if news.kind == "began":
            running.add(news.job)
        elif news.kind == "ended":
            running.discard(news.job)
            self.save(plan, [news.job])
        if time.monotonic() - self._saved >= _SAVE_EVERY:
            self._saved = time.monotonic()
            self.save(plan, sorted(running))

    def _check_free(self) -> None:
        try:
            with self._system.open(f"{self._root}/{_HELD}", "rb") as stream:
                said: Any = json.loads(stream.read(1000))
            who, at = str(said["who"])[:80], float(said["at"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return
        if who != self._who and time.time() - at < _SIGN_HOLDS:
            raise InputError(
                "input.batch_busy",
                what="Another batch works in this place.",
                why=f"{self.url} is held by {who}, which gave a sign of life {max(0.0, time.time() - at):.0f} s ago.",
                fix=f"Wait for that batch, or stop it; one that died is forgotten after {_SIGN_HOLDS:.0f} s. Or give "
                "another --output.",
            )

    def _fetch(self) -> None:
        """Bring the plan and the jobs' folders here, where they are not, or are others."""
        if not self._system.exists(f"{self._root}/{PLAN}"):
            return
        for found, about in self._system.find(self._root, detail=True).items():
            name = str(found)[len(self._root) :].lstrip("/")
            path = self.folder / name
            if name == _HELD or ".." in Path(name).parts:
                continue
            same = path.is_file() and path.stat().st_size == about["size"] and path.suffix != ".json"
            if same:  # states of checkpoints have their content in their names
                self._sent[name] = _mark(path)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            self._system.get_file(str(found), str(path))
            self._sent[name] = _mark(path)

    def _send(self, path: Path) -> None:
        if not path.is_file() or path.name.startswith("."):
            return
        name = path.relative_to(self.folder).as_posix()
        with contextlib.suppress(FileNotFoundError):  # a checkpoint was replaced meanwhile
            mark = _mark(path)
            if self._sent.get(name) != mark:
                self._write(name, path.read_bytes())
                self._sent[name] = mark

    def _clear(self, name: str) -> None:
        """Take away states of checkpoints that are no more."""
        for gone in [key for key in self._sent if key.startswith(f"{name}/checkpoint")]:
            if not (self.folder / gone).exists():
                del self._sent[gone]
                with contextlib.suppress(FileNotFoundError):
                    self._system.rm(f"{self._root}/{gone}")

    def _write(self, name: str, content: bytes) -> None:
        path = f"{self._root}/{name}"
        self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._system.pipe_file(path, content)

    def _unusable(self, error: OSError) -> InputError:
        return InputError(
            "input.output",
            what="The place of the batch cannot be used.",
            why=f"{self.url}: {first_line(str(error))}",
            fix="Check the URL, the network and your rights there. What is done lies in "
            f"{self.folder}; the same command goes on.",
        )


def with_saving(remote: Remote, plan: Plan, tell: Callable[[News], None]) -> Callable[[News], None]:
    """Return `tell` with what a URL's place must be sent first.

    remote: Remote.
    plan: Plan, which follows the news.
    tell: called with News.
    """
    running: set[str] = set()

    def both(news: News) -> None:
        remote.heard(plan, news, running)
        tell(news)

    return both


def _mark(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size
