"""The queue: starts the engine when there is work, feeds it as many jobs as it takes, and reports what has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ..engine.cluster import is_there, places
from ..engine.host import EngineHost, EngineState, Patience
from ..engine.process import EngineProcess
from ..engine.sound_message import sound_devices
from ..job import GENERATE, Job, JobState, Recipe, Trouble
from ..phrase import phrase
from .changes import Change, Changes, Topic
from .crash_limit import EngineDeaths
from .cut_outs import CutOuts
from .model_download import Downloads
from .run import Run
from .store import JobStore
from .store_watch import StoreWatch

__all__ = ["Change", "Topic", "JobQueue", "Patience"]

_SAVING_S = 0.5  # seconds to write a result that has come, when Blender is closed
_CLUSTER_CANCEL = 6.0  # times as long as usual until a cancelled job on a cluster is given up
_MEMORY = "engine"  # the name under which the store keeps models and devices
MOST_GIVEN, LONGEST_GIVEN = 24, 4096  # models that an engine answers for by path, and characters of a path


class JobQueue:
    """Jobs, and the engine that runs them: one at a time, unless it has a cluster.

    Call `tick` from a timer. Only `close` may wait.
    """

    def __init__(
        self,
        store: JobStore,
        launch: Callable[[], EngineProcess],
        *,
        keep_loaded_s: float = 300.0,
        patience: Patience | None = None,
    ) -> None:
        """Load the store's jobs. No engine starts yet.

        store: JobStore, where jobs live.
        launch: starts an engine, such as EngineLocation.start; may raise EngineTrouble.
        keep_loaded_s: float, seconds after which an engine without work is ended.
        patience: limits on the engine's silence; None for the usual ones.
        """
        self.store = store
        self.keep_loaded_s = keep_loaded_s
        self.jobs: list[Job] = store.load()  # newest last
        self._patience = patience or Patience()
        self._host = EngineHost(launch, self._patience)
        remembered = store.recall(_MEMORY)
        devices, models = remembered.get("devices"), remembered.get("models")
        self._host.devices = sound_devices(devices) if isinstance(devices, dict) else None
        if isinstance(models, list):
            self._host.models = [model for model in models if isinstance(model, dict)]
        if isinstance(given := remembered.get("given"), list):
            self._host.given = [model for model in given if isinstance(model, dict)]
        self._given: tuple[tuple[str, str], ...] = ()
        self._changes = Changes()
        self.downloads = Downloads(self._host, self._changes)
        self.cut_outs = CutOuts(self._host, self._changes)
        self._runs: list[Run] = []  # the oldest first
        self._from_checkpoint: set[str] = set()  # jobs that are to be resumed
        self._removed: set[str] = set()  # jobs to be deleted as soon as the engine has let go of them
        self._wanted = False  # an engine was asked for although there is no job
        self._deaths = EngineDeaths()
        self._closed = False
        self._idle_since = time.monotonic()
        self._watch = StoreWatch(store, self._changes, time.monotonic())

    @property
    def engine_state(self) -> EngineState:
        """One of 'absent', 'starting', 'ready' and 'dead'."""
        return self._host.state

    @property
    def engine_trouble(self) -> Trouble | None:
        """Why the engine is dead."""
        return self._host.trouble

    @property
    def devices(self) -> dict[str, Any] | None:
        """The engine's last report on its devices, this time or an earlier one; None before the first."""
        return self._host.devices

    @property
    def models(self) -> list[dict[str, Any]] | None:
        """The engine's last list of models, this time or an earlier one; None before the first."""
        return self._host.models

    @property
    def suggestions(self) -> list[dict[str, Any]]:
        """Models that the engine offers to download. A broken download is among them."""
        return self._host.suggestions

    @property
    def given(self) -> list[dict[str, Any]]:
        """The engine's last lines on the models that `ask_about` named, this time or an earlier one."""
        return self._host.given

    @property
    def current(self) -> Job | None:
        """The job that the engine works on, or None. Of several it is the one that it has had for longest."""
        return self._runs[0].job if self._runs else None

    def is_at_work(self, job: Job) -> bool:
        """Whether the engine has the job now."""
        return self._run_of(job) is not None

    def _run_of(self, job: Job) -> Run | None:
        return next((run for run in self._runs if run.job is job), None)

    @property
    def held(self) -> bool:
        """Whether the queue waits for a button, because the engine does not start or dies again and again."""
        return self._deaths.held

    @property
    def busy(self) -> bool:
        """Whether something may change soon. Then tick every tenth of a second or two; else once a second is enough."""
        waiting = not self.held and any(job.state is JobState.QUEUED and not job.owner for job in self.jobs)
        starting = self._host.state == "starting" or self._host.ending
        working = bool(self._runs) or self._beside
        return waiting or starting or working or self._wanted or bool(self._changes)

    @property
    def _beside(self) -> bool:
        """Whether something beside jobs needs an engine."""
        return self.downloads.active or self.cut_outs.active

    @property
    def silence_s(self) -> float:
        """Seconds without a word from an engine that should speak, which it does every 2 s; 0 when it need not."""
        owes = self._host.state == "starting" or any(run.stage is not None for run in self._runs)
        return self._host.silence_s(time.monotonic()) if owes else 0.0

    def job(self, job_id: str) -> Job | None:
        """The job with an id, or None."""
        return next((job for job in self.jobs if job.id == job_id), None)

    def add(
        self,
        recipe: Recipe,
        placement: Mapping[str, Any] | None = None,
        source: bytes | Path | None = None,
        task: str = GENERATE,
        begun: Path | None = None,
        pictures: bytes | Path | None = None,
    ) -> Job:
        """Queue a new job and return it.

        recipe: Recipe, what to make.
        placement: JSON that the UI wants to find again, such as where to insert.
        source, task, begun, pictures: as for `JobStore.create`.
        """
        job = self.store.create(recipe, placement or {}, source, task, begun, pictures)
        if begun is not None:
            self._from_checkpoint.add(job.id)
        self.jobs.append(job)
        self._deaths.held = False
        self._changes.say(Change(job, "state"))
        return job

    def cancel(self, job: Job) -> None:
        """Stop a job that waits or runs. A running one keeps what it has for `resume`."""
        if run := self._run_of(job):
            run.ask("cancel")
        elif job.state in (JobState.QUEUED, JobState.PAUSED) and not job.owner:
            self._set(job, JobState.CANCELLED)

    def pause(self, job: Job) -> None:
        """Hold a running job before its next step, or a waiting one before its turn."""
        if (run := self._run_of(job)) and job.state is JobState.RUNNING:
            run.ask("pause")
        elif job.state is JobState.QUEUED and not job.owner:
            self._set(job, JobState.PAUSED)

    def resume(self, job: Job) -> None:
        """Continue a job that is paused, interrupted, cancelled or failed, from where it stopped."""
        if run := self._run_of(job):
            if job.state is JobState.PAUSED or job.wish == "pause":
                run.ask("resume")
        elif job.state is JobState.PAUSED and not job.owner:
            self._set(job, JobState.QUEUED)
        elif job.can_resume:
            self._from_checkpoint.add(job.id)
            self._again(job)

    def finish(self, job: Job) -> None:
        """Stop training and make the mesh from what there is, for a job that runs or is held in the engine."""
        if (run := self._run_of(job)) and job.state in (JobState.RUNNING, JobState.PAUSED):
            run.ask("finish")

    def choose(self, job: Job, seed: int) -> bool:
        """Let a seed of the contest at work win, whatever its grade. Returns whether the engine was asked.

        seed: int.
        """
        run = self._run_of(job)
        return run is not None and job.state in (JobState.RUNNING, JobState.PAUSED) and run.choose(seed)

    def retry(self, job: Job) -> None:
        """Make a finished or stopped job again from its beginning."""
        if job.state.over and not job.owner and self._run_of(job) is None:
            self._from_checkpoint.discard(job.id)
            job.notes, job.step, job.total, job.stage = [], 0, 0, ""
            self._again(job)

    def remove(self, job: Job) -> None:
        """Take a job out of the list and delete its folder. A running one is cancelled first."""
        if job.owner or job not in self.jobs:
            return
        self.jobs.remove(job)
        if run := self._run_of(job):
            self._removed.add(job.id)
            run.ask("cancel")
        else:
            self.store.remove(job)

    def save(self, job: Job) -> None:
        """Write what the UI changed in a job: placement or inserted."""
        self.store.save(job)

    def ask_about(self, given: Iterable[tuple[str, str]]) -> None:
        """Note models that the engine is to describe as soon as it is ready. Cheap.

        given: pairs of a model (folder, file or id) and its base.
        """
        fitting = (pair for pair in given if pair[0].strip() and max(map(len, pair)) <= LONGEST_GIVEN)
        self._given = tuple(islice(dict.fromkeys(fitting), MOST_GIVEN))

    def start_engine(self) -> None:
        """Start the engine without a job, to learn its models and devices."""
        self._deaths.forget()
        self._wanted = self._host.state in ("absent", "dead")

    def stop_engine(self) -> None:
        """End an engine without work, to free its memory. Returns at once."""
        working = bool(self._runs) or self._beside
        if not working and self._host.state in ("starting", "ready"):
            self._host.end()
            self._wanted = False
            self._changes.say(Change(None, "engine"))

    def tick(self, budget_s: float = 0.008) -> list[Change]:
        """Do the due work and return what changed.

        budget_s: float, about the most seconds that this may take.
        """
        if self._closed:
            return []
        now = time.monotonic()
        until = now + budget_s
        was_starting = self._host.state == "starting"  # asked before its greeting is read: it may have died since
        gone = self._host.gone  # asked first, so that all messages of an engine that is gone have arrived
        waiting = self._host.waiting  # later frames wait for the next tick, so that a flood does not fill this one
        while waiting and time.monotonic() < until:
            waiting -= 1
            frame = self._host.receive()
            if frame is None:
                break
            if frame.message["type"] in ("ready", "models", "devices"):
                self._greet(frame.message)
            elif self.downloads.take(frame.message) or self.cut_outs.take(frame):
                self._idle_since = now
            else:
                for run in self._runs:
                    run.take(frame)
        for run in self._runs:
            run.poll(now)
        stages = [run.stage for run in self._runs if run.stage is not None]
        # The one in which an engine may be silent for longest.
        stage = next((each for each in stages if each in ("", "load")), stages[0] if stages else None)
        if self._host.poll(now, stage, gone=gone and not waiting):
            self._engine_died(was_starting)
        self._insist(now)
        self._close_conversations()
        self._watch.poll(self.jobs, now)
        self._go_on(now)
        return self._changes.take()

    def close(self) -> None:
        """End the engine and write the journal, in less than 2 s. A running job becomes INTERRUPTED."""
        if any(run.saving for run in self._runs):
            self.store.flush(_SAVING_S)
            for run in self._runs:
                run.poll(time.monotonic())
        for run in self._runs:
            job = run.job
            reached = (
                phrase("It had reached step {step} of {total}.", step=job.step, total=job.total)
                if job.total
                else phrase("It had begun.")
            )
            run.end(
                JobState.INTERRUPTED,
                Trouble("job.interrupted", "Blender was closed before the end.", reached, "Press Resume to go on."),
            )
        self._close_conversations()
        self._closed = True
        self._host.close(1.0)
        self.store.close(0.4)

    def _set(self, job: Job, state: JobState) -> None:
        job.state = state
        self.store.save(job)
        self._changes.say(Change(job, "state"))

    def _again(self, job: Job) -> None:
        job.trouble, job.ended, job.wish = None, None, ""
        self._deaths.forget()
        self._set(job, JobState.QUEUED)

    def _greet(self, message: dict[str, Any]) -> None:
        self._host.greeted(message)
        self._wanted = False
        self._idle_since = time.monotonic()
        self.store.remember(_MEMORY, {"devices": self.devices, "models": self.models, "given": self.given})
        self._changes.say(Change(None, "engine"))

    def _engine_died(self, was_starting: bool) -> None:
        self._wanted = False
        self._fail_beside()
        failed = self._deaths.one_more(self._runs, self._next(), self._host.trouble, was_starting=was_starting)
        if failed is not None:
            self._set(failed, JobState.FAILED)
        self._changes.say(Change(None, "engine"))

    def _fail_beside(self) -> None:
        """Fail what waits for an engine beside jobs: it is gone, or cannot be had."""
        self.downloads.fail(self._host.trouble)
        self.cut_outs.fail(self._host.trouble)

    def _insist(self, now: float) -> None:
        """End an engine that does not stop a cancelled job in time. Its last checkpoint stays.

        One with other jobs goes on. A cluster gets more time, as the checkpoint travels.
        """
        limit = self._patience.cancel * (_CLUSTER_CANCEL if is_there(self.devices) else 1.0)
        for run in [run for run in self._runs if run.overdue_s(now) > limit]:
            run.end(JobState.CANCELLED, None)
            if len(self._runs) == 1:
                self._host.end(at_once=True)
                self._changes.say(Change(None, "engine"))

    def _close_conversations(self) -> None:
        for run in [run for run in self._runs if run.over]:
            job = run.job
            self._runs.remove(run)
            self._idle_since = time.monotonic()
            if run.good:
                self._deaths.good_run()
            if job.trouble is not None and job.trouble.code == "run.device_lost":
                self.stop_engine()  # which can give that device no more work; another one can
            if job.id in self._removed:
                self._removed.discard(job.id)
                self.store.remove(job)

    def _next(self) -> Job | None:
        waiting = (job for job in self.jobs if job.state is JobState.QUEUED and not job.owner)
        return next((job for job in waiting if self.store.is_ready(job)), None)

    def _go_on(self, now: float) -> None:
        """Begin the next job, start the engine for it, or end an engine that has been idle for long."""
        self.downloads.go_on()
        self.cut_outs.go_on()
        if self.held:
            self.cut_outs.fail(self._host.trouble)
        self._host.ask_about(self._given)
        if self.held or len(self._runs) >= (places(self.devices) if self._host.state == "ready" else 1):
            return
        job = self._next()
        if self._runs and job is None:
            return
        if job is None and not self._wanted and not self._beside:
            if self._host.state == "ready" and now - self._idle_since >= self.keep_loaded_s:
                self.stop_engine()
            return
        if self._host.state == "ready":
            if job is not None:
                self._begin(job)
        elif self._host.state != "starting" and not self._host.ending:
            self._host.start()
            self._changes.say(Change(None, "engine"))
            if self._host.trouble is not None:
                self._wanted = False
                self._fail_beside()
                failed = self._deaths.none_to_be_had(job, self._host.trouble)
                if failed is not None:
                    self._set(failed, JobState.FAILED)

    def _begin(self, job: Job) -> None:
        if not self.store.claim(job):
            self._changes.say(Change(job, "state"))
            return
        resume = job.id in self._from_checkpoint
        self._from_checkpoint.discard(job.id)
        self._runs.append(Run(job, self._host, self.store, self._changes, resume=resume))
