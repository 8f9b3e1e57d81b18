"""The work that goes on beside the .blend file: the queue, the engine's place, a connection test, an installation.

One session lasts from the first use of the add-on until it is disabled. Opening, undoing and saving files does not
touch it.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bpy

from ...core.engine.connection_check import ConnectionCheck, ConnectionReport
from ...core.job import Job, JobState, Trouble
from ...core.jobs.estimates import Estimates
from ...core.jobs.queue import JobQueue
from ...core.jobs.store import JobStore
from ...core.setup.installation import EngineSetup
from ..settings import preferences

_POLL_SECONDS = 2.0  # between two looks at whether the engine is still where it was


class Session:
    """The state of this Blender's work with the engine.

    waiting: ids of jobs whose object is ready and not in the scene yet.
    trouble: Trouble of something that failed outside of a job, or None.
    notice: str, one sentence for the panel.
    file: str, an id that changes whenever another .blend is opened.
    """

    def __init__(self) -> None:
        chosen = preferences.of()
        self.root: Path = preferences.output_folder(chosen)
        self.log: Path = preferences.user_folder() / "engine.log"
        self.store = JobStore(self.root)
        self.queue = JobQueue(
            self.store,
            lambda: preferences.location(preferences.of()).start(self.log),
            keep_loaded_s=chosen.keep_loaded * 60.0,
        )
        self.estimates = Estimates(preferences.user_folder() / "estimates.json")
        self.setup = EngineSetup(preferences.user_folder() / "engine")
        self.probe: ConnectionCheck | None = None
        self.report: ConnectionReport | None = None
        self.waiting: list[str] = []
        self.aside = ""  # id of the job that is held while Blender renders
        self.trouble: Trouble | None = None
        self.dismissed: Trouble | None = None  # what the artist has read and put away
        self.bug: Trouble | None = None  # the last bug of the add-on that was shown
        self.notice = ""
        # Jobs that the top of the panel may show when nothing runs: those of this session, and interrupted ones.
        self.recent = {job.id for job in self.queue.jobs if job.state is JobState.INTERRUPTED and not job.owner}
        self.thumbnails: set[Path] = set()  # pictures of jobs that have been read
        self.listed = False  # whether the list in the panel has been filled
        self.file = new_file_name()
        self.missing: Trouble | None = None
        self.curious = False  # a panel is shown that needs the engine's list of models
        self.unknown_model = ""  # a chosen model that the engine describes only when asked
        self.puzzled: set[str] = set()  # models for which an engine was started, to ask it
        self.plan_wanted = False  # a panel is shown that needs the plan of an installation; it is not made before
        self._polled = 0.0
        self._online = preferences.location(chosen).online  # whether an engine that is started may go to the internet
        self.poll(now=True)

    @property
    def models(self) -> list[dict[str, Any]] | None:
        """The engine's list of models, None while it has never spoken."""
        return self.queue.models or (self.report.models if self.report is not None and self.report.models else None)

    @property
    def given(self) -> list[dict[str, Any]]:
        """The engine's lines on models that it was asked about by path."""
        return self.queue.given

    @property
    def devices(self) -> dict[str, Any]:
        """The engine's report on its devices, empty while it has never spoken."""
        return self.queue.devices or (self.report.devices if self.report is not None else {})

    def job(self, name: str) -> Job | None:
        """The job with this id."""
        return next((job for job in self.queue.jobs if job.id == name), None)

    @property
    def shown(self) -> Job | None:
        """The job at the top of the panel: the one at work, else the next, else the newest that has ended."""
        if self.queue.current is not None:
            return self.queue.current
        jobs: Iterable[Job] = reversed(self.queue.jobs)
        active = [job for job in self.queue.jobs if job.state.active and not job.owner]
        return active[0] if active else next((job for job in jobs if job.id in self.recent), None)

    @property
    def running(self) -> Job | None:
        """The job that turns the Generate button into a progress bar: at work, or about to be."""
        job = self.shown
        return job if job is not None and job.state.active else None

    def poll(self, *, now: bool = False) -> None:
        """Check whether the engine is where the preferences say. Cheap; it checks again only every few seconds.

        now: bool, check at once.
        """
        clock = time.monotonic()
        if now or clock - self._polled > _POLL_SECONDS:
            self._polled = clock
            place = preferences.location(preferences.of())
            self.missing = place.missing()
            if place.online != self._online and self.queue.current is None:
                self._online = place.online  # a running engine cannot change this
                self.queue.stop_engine()

    def ask_models(self) -> None:
        """Start the engine once, without a job, if an artist wants to see models that it has not listed yet."""
        wanted = (self.curious and self.models is None) or bool(self.unknown_model)
        self.unknown_model = ""  # an engine that runs is asked by `ask_about`
        if wanted and self.missing is None and self.queue.engine_state == "absent":
            self.curious = False
            self.queue.start_engine()

    def test_connection(self) -> None:
        """Start Test Connection. The timer takes its report."""
        self.stop_test()
        self.report = None
        self.probe = ConnectionCheck(
            preferences.location(preferences.of()), preferences.user_folder() / "connection.log"
        )

    def stop_test(self) -> None:
        """End a connection test that has not answered."""
        if self.probe is not None:
            self.probe.cancel()
            self.probe = None

    def poll_test(self) -> bool:
        """Take the report of a connection test. Returns whether there is news."""
        if self.probe is None:
            return False
        self.report = self.probe.poll()
        if self.report is None:
            return False
        self.probe = None
        return True

    def close(self) -> None:
        """End every child process and write the journal; under two seconds."""
        self.stop_test()
        self.setup.close()
        self.queue.close()


def new_file_name() -> str:
    """A new id for the .blend that is open from now on."""
    return uuid.uuid4().hex


_current: Session | None = None


def current() -> Session:
    """The session. The first call makes it."""
    global _current
    if _current is None:
        _current = Session()
    return _current


def begun() -> bool:
    """Whether there is a session."""
    return _current is not None


def close() -> None:
    """End the session, if there is one. Safe to call twice, and while Blender exits."""
    global _current
    if _current is not None:
        ending, _current = _current, None
        ending.close()


def renew() -> None:
    """End the session, so that the next use begins one with the present preferences. A job at work prevents that.

    The engine may take a second to end. A thread waits for that, and touches nothing of Blender.
    """
    global _current
    if _current is not None and not is_working():
        ending, _current = _current, None
        threading.Thread(target=ending.close, name="dreamfusion-close", daemon=True).start()


def is_working() -> bool:
    """Whether a job is at work. The output folder must not change then."""
    return _current is not None and any(job.state.active and not job.owner for job in _current.queue.jobs)


def engine_moved() -> None:
    """Check the engine's new place, and end the old engine unless it has a job."""
    if _current is not None:
        _current.report = None
        _current.poll(now=True)
        if _current.queue.current is None:
            _current.queue.stop_engine()


def keep_changed(minutes: float) -> None:
    """Set how long an engine without work is kept.

    minutes: float, that time in minutes.
    """
    if _current is not None:
        _current.queue.keep_loaded_s = minutes * 60.0


def resumable(job: Job) -> bool:
    """Whether a job ended too early and can be continued."""
    return job.can_resume and job.state is not JobState.PAUSED


def same_file(placement: dict[str, Any]) -> bool:
    """Whether the open .blend is the one in which the job was started."""
    path = placement.get("path", "")
    return placement.get("file") == current().file or bool(path and path == bpy.data.filepath)
