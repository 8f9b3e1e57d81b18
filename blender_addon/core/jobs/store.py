"""Jobs as folders on disk. What is written survives a crash of the engine, of Blender and of the machine."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bounded_json import UnsafeJson, read_json_file
from ..job import GENERATE, Job, Recipe, new_id
from .file_lock import FileLock, owner
from .folder import (
    BIRTH,
    CHECKPOINT,
    FILE_LIMIT,
    JOURNAL,
    PICTURES,
    RUN_LOCK,
    SOURCE,
    NotAJob,
    birth_record,
    change_record,
    folder_name,
    interrupted,
    is_job_folder,
    journal_line,
    read_job,
    read_source,
)
from .writer import Pending, Writer, append_line, write_whole

OWN_FOLDER = ".dreamfusion"  # for what belongs to no job: locks of running Blenders, the engine's last reports
TRASH = ".trash-"
_LOCK_AGE_S = 86_400.0
COMPACT_BYTES = 1 << 16  # a longer journal is cut to its first line and its last


@dataclass(frozen=True)
class Unreadable:
    """A folder that holds a job which this version cannot read. It is left as it is."""

    folder: Path
    why: str


@dataclass(frozen=True)
class WriteFailure:
    """A job's state could not be written down."""

    job_id: str
    error: OSError


class JobStore:
    """The jobs in one output folder.

    A thread does the writing, in order. Several Blenders may use one folder. Each holds a lock under its own token as
    long as it lives, and a job's journal names the token of the Blender that has it.
    """

    def __init__(self, root: Path) -> None:
        """root: Path of the output folder, which is made when the first job is written."""
        self.root = root
        self.unreadable: list[Unreadable] = []
        self._token = uuid.uuid4().hex
        self._presence = FileLock(root / OWN_FOLDER / f"{self._token}.lock")
        self._running: dict[str, FileLock] = {}
        self._writer = Writer()
        self._saves: list[tuple[str, Pending]] = []
        self._copying: dict[str, Pending] = {}  # new jobs whose checkpoint is on its way

    def load(self) -> list[Job]:
        """Every job, oldest first. Jobs whose Blender went away are INTERRUPTED, or DONE if the engine had finished.

        Folders that cannot be read are in `unreadable` afterwards. They are left as they are.
        """
        self.unreadable = []
        found: dict[str, Job] = {}
        for folder in self._folders():
            try:
                if not is_job_folder(folder):
                    continue
                job, token = read_job(folder)
            except NotAJob as error:
                self.unreadable.append(Unreadable(folder, str(error)))
                continue
            except OSError as error:
                self.unreadable.append(Unreadable(folder, f"it cannot be read: {error.strerror or error}"))
                continue
            if job.id in found:
                self.unreadable.append(Unreadable(folder, f"it is a copy of {found[job.id].folder.name}"))
                continue
            found[job.id] = job
            if job.state.active:
                self._settle(job, token)
        return sorted(found.values(), key=lambda job: (job.created, job.id))

    def reread(self, job: Job) -> Job | None:
        """Read the present state of another Blender's job; None when it is gone or unreadable."""
        try:
            fresh, token = read_job(job.folder)
            if fresh.state.active:
                self._settle(fresh, token)
        except (NotAJob, OSError):
            return None
        return fresh

    def create(
        self,
        recipe: Recipe,
        placement: Mapping[str, Any],
        source: bytes | Path | None = None,
        task: str = GENERATE,
        begun: Path | None = None,
        pictures: bytes | Path | None = None,
    ) -> Job:
        """Make a new job, QUEUED, in a folder <slug of prompt>-<seed>-<id>. Returns at once; see `failures`.

        recipe: Recipe, what to make.
        placement: JSON that the UI keeps with the job.
        source: the meshes that it paints or begins from, a GLB or the Path of one; None for a job without.
        task: str, one of TASKS.
        begun: folder of a run of the same recipe that this one goes on with, from a copy of its checkpoint; without it
            the job begins from nothing.
        pictures: the files of the recipe's pictures, `given_pictures.joined`, or the Path of them; None for none.
        Raises TypeError when recipe or placement are not plain JSON.
        """
        name = new_id()
        job = Job(
            name,
            copy.deepcopy(recipe),
            self.root / folder_name(recipe, name),
            placement=dict(placement),
            task=task,
        )
        birth = birth_record(job)
        text = json.dumps(birth, indent=1).encode("ascii") + b"\n"
        journal = journal_line(birth) + journal_line(change_record(job, self._token))

        def work() -> None:
            job.folder.mkdir(parents=True, exist_ok=True)
            (self.root / OWN_FOLDER).mkdir(exist_ok=True)
            self._presence.acquire()
            if begun is not None:
                with contextlib.suppress(OSError, shutil.Error):  # then the job begins from nothing
                    shutil.copytree(begun / CHECKPOINT.parent, job.folder / CHECKPOINT.parent)
            for name, files in ((SOURCE, source), (PICTURES, pictures)):
                if files is not None:
                    write_whole(job.folder / name, read_source(files) if isinstance(files, Path) else files)
            # The journal first, because it names the owner. To another Blender a job without one looks interrupted.
            write_whole(job.folder / JOURNAL, journal)
            write_whole(job.folder / BIRTH, text)

        pending = self._writer.put(work)
        self._saves.append((job.id, pending))
        if begun is not None:
            self._copying[job.id] = pending
        return job

    def is_ready(self, job: Job) -> bool:
        """Whether what a job goes on with is in its folder. A new job that begins from nothing is ready at once."""
        pending = self._copying.get(job.id)
        if pending is not None and pending.done:
            del self._copying[job.id]
        return pending is None or pending.done

    def save(self, job: Job) -> None:
        """Write the job's present state. Returns at once; see `failures`.

        Raises TypeError when recipe or placement are not plain JSON.
        """
        if job.owner:
            return
        birth, change = journal_line(birth_record(job)), journal_line(change_record(job, self._token))
        path, active = job.folder / JOURNAL, job.state.active

        def work() -> None:
            if active:
                (self.root / OWN_FOLDER).mkdir(exist_ok=True)
                self._presence.acquire()
            if not path.is_file() or path.stat().st_size > COMPACT_BYTES:
                write_whole(path, birth + change)
            else:
                append_line(path, change)

        self._saves.append((job.id, self._writer.put(work, replaces=("save", job.id))))

    def write(self, job: Job, name: str, data: bytes, *, durable: bool = True) -> Pending:
        """Put a file into the job's folder. Returns at once.

        job: Job whose folder it is.
        name: str, the file's name; in a folder of its own if need be.
        data: bytes, the whole content.
        durable: bool, whether the file must survive a crash of the machine. If not, it is skipped when a newer file of
            its name is waiting for the writer.
        """

        def work() -> None:
            path = job.folder / name
            if path.parent != job.folder:
                path.parent.mkdir(parents=True, exist_ok=True)
            if durable and path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
                return  # a local engine wrote it
            write_whole(path, data, durable=durable)

        return self._writer.put(work, replaces=None if durable else ("file", job.id, name))

    def in_background(self, work: Callable[[], None]) -> Pending:
        """Run work that may wait for a disk in the writing thread."""
        return self._writer.put(work)

    def failures(self) -> list[WriteFailure]:
        """The writes of `create`, `save` and `remove` that failed since the last call."""
        done = [(name, pending) for name, pending in self._saves if pending.done]
        if done:
            self._saves = [(name, pending) for name, pending in self._saves if not pending.done]
        return [WriteFailure(name, pending.error) for name, pending in done if pending.error is not None]

    def claim(self, job: Job) -> bool:
        """Take a job for running. Returns False when another Blender runs it; job.owner then names that Blender."""
        lock = self._running.get(job.id) or FileLock(job.folder / RUN_LOCK)
        try:
            if not lock.acquire():
                job.owner = _owner_name(owner(lock.path))
                return False
        except OSError:  # the folder is missing or read-only; the engine's own check will say so
            return True
        self._running[job.id] = lock
        return True

    def release(self, job: Job) -> None:
        """Release a claimed job."""
        lock = self._running.pop(job.id, None)
        if lock is not None:
            lock.release()

    def remove(self, job: Job) -> None:
        """Delete the job's folder. Returns at once."""
        self.release(job)
        folder = job.folder
        if folder.parent != self.root or not folder.name.endswith(job.id):
            return  # renamed by hand, so it may not be deleted

        def work() -> None:
            trash = folder.with_name(f"{TRASH}{job.id}")
            with contextlib.suppress(FileNotFoundError):
                os.replace(folder, trash)  # from here on it does not count as a job, even if deleting is interrupted
            shutil.rmtree(trash, ignore_errors=True)

        self._saves.append((job.id, self._writer.put(work)))

    def remember(self, name: str, values: Mapping[str, Any]) -> None:
        """Keep values that belong to no job, such as the engine's models. Returns at once.

        name: str, the name for `recall`.
        values: plain JSON.
        """
        text = json.dumps(dict(values)).encode("ascii")

        def work() -> None:
            (self.root / OWN_FOLDER).mkdir(parents=True, exist_ok=True)
            write_whole(self.root / OWN_FOLDER / f"{name}.json", text, durable=False)

        self._writer.put(work)

    def recall(self, name: str) -> dict[str, Any]:
        """The values that `remember` kept under a name; {} when nothing readable is there."""
        try:
            values = read_json_file(self.root / OWN_FOLDER / f"{name}.json", limit=FILE_LIMIT)
        except (OSError, UnsafeJson):
            return {}
        return values if isinstance(values, dict) else {}

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything is written. Returns whether it is.

        timeout_s: float, the longest wait in seconds.
        """
        return self._writer.flush(timeout_s)

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what is left and release the locks.

        timeout_s: float, the longest wait in seconds.
        """
        self._writer.flush(timeout_s)
        for lock in self._running.values():
            lock.release()
        self._running.clear()
        self._presence.release()

    def _folders(self) -> list[Path]:
        try:
            entries = sorted(self.root.iterdir())
        except OSError:
            return []
        if entries:
            self._writer.put(lambda: _sweep(entries))
        return [entry for entry in entries if not entry.name.startswith(".") and entry.is_dir()]

    def _settle(self, job: Job, token: str) -> None:
        """Find out who has a job that its journal calls active."""
        if token == self._token:
            return
        holder = owner(self.root / OWN_FOLDER / f"{token}.lock") if token else None
        if holder is None:
            interrupted(job)
        else:
            job.owner = _owner_name(holder)


def _sweep(entries: Sequence[Path]) -> None:
    """Delete what earlier Blenders left behind: half-deleted jobs, and locks of Blenders that are gone."""
    for entry in entries:
        if entry.name.startswith(TRASH):
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name == OWN_FOLDER:
            for lock in entry.glob("*.lock"):
                # Another Blender may be taking a young lock right now.
                if time.time() - lock.stat().st_mtime > _LOCK_AGE_S and owner(lock) is None:
                    lock.unlink(missing_ok=True)


def _owner_name(process: int | None) -> str:
    return f"another Blender (process {process})" if process else "another Blender"
