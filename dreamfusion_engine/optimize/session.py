"""A whole training: all steps, with checkpoints, health checks, restarts and reports."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from dreamfusion_engine.config.presets import from_json, to_json
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import EngineError, RunError
from dreamfusion_engine.events import Control, Note, Progress, Report
from dreamfusion_engine.guidance.denoiser.choice import Choice
from dreamfusion_engine.guidance.guidance import Guidance
from dreamfusion_engine.machine.device import MIB, device_lost, out_of_memory, peak_memory_mib
from dreamfusion_engine.machine.places import Places
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.memory.estimate import estimate
from dreamfusion_engine.memory.step_down import StepDown, resumed_attempt
from dreamfusion_engine.optimize.checkpoint import Checkpoint, save_checkpoint
from dreamfusion_engine.optimize.endings import cancelled, lost_device
from dreamfusion_engine.optimize.health import VERDICTS, HealthMonitor, Verdict
from dreamfusion_engine.optimize.recovery import WARNINGS, recover
from dreamfusion_engine.optimize.resumption import recorded_runtime, resumable_checkpoint, set_earlier_aside
from dreamfusion_engine.optimize.snapshots import Snapshots
from dreamfusion_engine.optimize.step_graphs import step_graphs
from dreamfusion_engine.optimize.training import NewTraining, Training
from dreamfusion_engine.optimize.view_contrast import ASKED_AT, VIEWS_DIFFER, view_contrast
from dreamfusion_engine.optimize.volume_training import VolumeTraining

PROBE_EVERY = 25  # steps
_LEARNED = "distillation."  # in a checkpoint: what the score itself learns, if it does
_REPORT_EVERY = 0.25  # seconds


@dataclass
class Session:
    """One run's training, from a fresh field or a checkpoint to a field worth a mesh.

    config: GenerateConfig as asked for.
    distillation: Guidance, the teacher with the prompt.
    device: torch.device of the training.
    folder: Path of the checkpoint.
    report: told of progress and notes.
    control: asked whether to continue, finish or stop.
    seconds_after: float, estimate of the time after training, for the ETA.
    snapshot: called now and then with the training, for previews.
    model: str, digest of the diffusion model's weights; a checkpoint of other weights is refused.
    subject: str, digest of a given surface or pictures that it is about, likewise; "": there are none.
    fitted: config with what was changed to fit the memory; None: nothing was.
    step_down: StepDown, what to give up when memory runs out.
    processes: Processes, the processes that train together.
    new_training: what is trained.
    watched: verdicts that can be about this kind of training.
    denoiser: Choice of what runs it, from the checkpoint once resumed; None: not settled.
    places: Places of the run; None: all is on `device`.
    later: Paths of the checkpoints of trainings that go on from this one: theirs are set aside with it.
    keep_inputs: puts what the run was given in place of an earlier run's, once that run's checkpoint is set aside.
    seconds: float, of training, over all attempts and sessions.
    steps_taken: int, over all attempts and sessions.
    restarts: int, number of restarts so far.
    """

    config: GenerateConfig
    distillation: Guidance
    device: torch.device
    folder: Path
    report: Report
    control: Control
    seconds_after: float
    snapshot: Callable[[Training], None]
    model: str = ""
    subject: str = ""
    fitted: GenerateConfig | None = None
    step_down: StepDown | None = None
    processes: Processes = ALONE
    new_training: NewTraining = VolumeTraining
    watched: tuple[Verdict, ...] = VERDICTS
    denoiser: Choice | None = None
    places: Places | None = None
    later: tuple[Path, ...] = ()
    keep_inputs: Callable[[], None] = lambda: None
    seconds: float = 0.0
    steps_taken: int = 0
    restarts: int = 0
    # On a card only a step that looks takes as long as its work: the mean is over as many looks always.
    _durations: deque[float] = field(default_factory=lambda: deque(maxlen=2 * PROBE_EVERY))

    def __post_init__(self) -> None:
        self.health = HealthMonitor(watched=self.watched)
        self._kind = (self.places or Places.at(self.device)).kind
        self.memory = self.step_down or StepDown(device=self.device, report=self.report, kind=self._kind)
        self._resumed = self._begun = False
        # Asked for each time: a contest gives a draft its previews and its listener once it goes on.
        self._snapshots = Snapshots(lambda training: self.snapshot(training), lambda event: self.report(event))
        attempt = self.fitted or self.config
        self.training = self._trained_from_start(attempt, self.config.seed)

    @property
    def rate(self) -> float:
        """Training steps a second, over the last steps; 0 before the first."""
        return len(self._durations) / sum(self._durations) if self._durations else 0.0

    def resume(self) -> None:
        """Continue from the checkpoint.

        Raises InputError or SetupError where no checkpoint fits.
        """
        saved = resumable_checkpoint(
            self.folder, self.config, model=self.model, subject=self.subject, kind=self._kind, report=self.report
        )
        attempt, then = (from_json(GenerateConfig, values) for values in (saved.extra["attempt"], saved.config))
        self._start(resumed_attempt(attempt, then, self.fitted or self.config))
        self.memory.economise(self.training.config.memory)
        self.memory.taken[:] = saved.extra.get("step_downs", [])
        self._resumed = self._begun = True
        self.training.load_state(saved.tensors)
        self.distillation.load_state(
            {n.removeprefix(_LEARNED): t for n, t in saved.tensors.items() if n.startswith(_LEARNED)}
        )
        self.health = HealthMonitor.from_json(saved.extra["health"], watched=self.watched)
        self.denoiser = recorded_runtime(saved)
        self.restarts = int(saved.extra["restarts"])
        self.seconds = float(saved.extra["seconds"])
        self.steps_taken = int(saved.extra["steps_taken"])

    def run(self, until: int | None = None) -> Training:
        """Train to the end, or until `control` says 'finish'; return the training with its last state.

        until: int, step at which to stop with a checkpoint, to go on later; None: the last one.
        Raises Cancelled, with a checkpoint kept, and RunError where a verdict cannot be repaired.
        """
        settings = self.config.optimize
        last = settings.steps if until is None else min(until, settings.steps)
        reported = 0.0
        self._snapshots.begin()
        if not self._begun:
            self._begin()
        while self.training.step < last:
            wish = self.processes.agree(self.control())
            if wish == "cancel":
                if self.steps_taken:  # a run that has done nothing must not replace what an earlier one has left
                    self.save()
                raise cancelled(f"Stopped at step {self.training.step} of {settings.steps}.")
            if wish == "finish" and self.training.step > 0:
                self.report(
                    Note(code="run.finished_early", text=f"Training ends at step {self.training.step}, as asked.")
                )
                break
            begun = time.monotonic()
            try:
                verdict = self._step()
            except Exception as error:
                if device_lost(error):
                    raise self._lost(error) from error
                if not out_of_memory(error):
                    raise
                short_of = str(error) or type(error).__name__
            else:
                short_of = ""
            if short_of:  # out here the error is gone, and with it the tensors that its traceback held
                self._give_something_up(short_of)
                continue
            now = time.monotonic()
            self._durations.append(now - begun)
            self.seconds += now - begun
            self.steps_taken += 1
            if verdict is not None and self._mend(verdict):
                continue
            step = self.training.step
            if step % self.config.checkpoint_every == 0 and step < settings.steps:
                self.save()
            if now - reported > _REPORT_EVERY or step == settings.steps:
                self._report_progress()
                reported = now
            self._snapshots.show_if_due(self.training, now)
        self.save()
        return self.training

    def save(self) -> None:
        """Write a checkpoint, in the first process only.

        Before the first one an earlier run's is set aside, and only then its inputs are replaced: at every moment
        before, that run can be resumed.
        """
        if not self.processes.first:
            return
        if not self._resumed:
            self._resumed = True
            set_earlier_aside(self.folder, self.later, self.report)
            self.keep_inputs()
        save_checkpoint(
            self.folder,
            Checkpoint(
                step=self.training.step,
                config=to_json(self.config),
                device=self._kind,
                tensors={
                    **self.training.state(),
                    **{_LEARNED + name: tensor for name, tensor in self.distillation.state().items()},
                },
                extra={
                    "attempt": to_json(self.training.config),
                    "health": self.health.to_json(),
                    "restarts": self.restarts,
                    "step_downs": self.memory.taken,
                    "seconds": self.seconds,
                    "steps_taken": self.steps_taken,
                    "model": self.model,
                    "subject": self.subject,
                    "denoiser": None if self.denoiser is None else self.denoiser.to_json(),
                },
            ),
        )

    def memory_report(self) -> dict[str, Any]:
        """Return what result.json says of memory: what was asked for, what was used in the end, and what was given up.

        Its 'replays' are the parts of steps that a CUDA graph made in the last attempt.
        """
        asked, used = self.config, self.training.config
        return {
            "memory": to_json(used.memory),
            "resolution": list(used.optimize.resolution),
            "changed": asked.memory != used.memory or asked.optimize.resolution != used.optimize.resolution,
            "steps_down": self.memory.taken,
            "replays": 0 if self.training.graphs is None else self.training.graphs.replays,
            "estimate_mib": round(estimate(self.memory.sizes, used, self._kind, self.memory.moving).total / MIB),
        }

    def health_report(self) -> dict[str, Any]:
        """Return what result.json says of the run's health."""
        return {**self.health.to_json(), "restarts": self.restarts}

    def _lost(self, error: BaseException) -> RunError:
        """The end of a run whose device stopped answering. What can be kept is kept: all, where the field is here."""
        kept = False
        if self.device.type == "cpu" and self.steps_taken:
            try:
                self.save()
                kept = True
            except Exception as second:  # what the teacher has learned is lost with it
                if isinstance(second, EngineError):
                    raise
        return lost_device(error, self.training.step, kept=kept)

    def _give_something_up(self, reason: str) -> None:
        """Go on with less memory. Raises RunError when there is nothing left, the training so far kept."""
        if self.training.graphs is not None:
            self.training.graphs.forget()  # their memory is needed, and fewer pixels or views are other work
        try:
            self.training.config = self.memory.take(self.training.config, self.training.step, reason)
        except RunError:
            if self.steps_taken:
                self.save()
            raise

    def _step(self) -> Verdict | None:
        """One training step and, now and then, a look at its health."""
        self.training.train_step(self.distillation, overlap=self.denoiser is not None and self.denoiser.overlap is True)
        if self.training.broken():
            return "non_finite"
        if self.training.step % PROBE_EVERY:
            return None
        before = (self.training.step - PROBE_EVERY) / self.config.optimize.steps
        # Once, and for many_faced alone: it takes a call of the model.
        asks = "many_faced" in self.watched and before < ASKED_AT <= self.training.progress
        probe, contrast = self.processes.all_or_none(
            lambda: (
                self.training.probe(),
                view_contrast(self.training, self.distillation, self.config) if asks else 0.0,
            )
        )
        verdict = self.health.observe(probe)
        if asks:
            self.health.views_differ = self.processes.agree(contrast > VIEWS_DIFFER)
        return self.processes.agree(verdict)

    def _mend(self, verdict: Verdict) -> bool:
        """Start again with a change (True), or go on with a warning (False); RunError when neither helps."""
        step = self.training.step
        recovery = recover(verdict, self.restarts, self.training.config)
        if recovery is None:
            if not any(event["verdict"] == verdict for event in self.health.events):
                self.health.note(verdict, step, "kept")
                self.report(Note(code=f"health.{verdict}", text=WARNINGS[verdict]))
            return False
        self.health.note(verdict, step, recovery.text)
        self.health.restart()
        self.restarts += 1
        self.report(Note(code=f"health.{verdict}", text=recovery.text))
        self._start(recovery.config)
        self._begin()
        return True

    def _start(self, attempt: GenerateConfig) -> None:
        """A fresh training with the configuration of an attempt."""
        self.distillation.restart(attempt.guidance, attempt.seed)
        self.training = self._trained_from_start(attempt, attempt.seed)

    def _begin(self) -> None:
        self._begun = True
        self.training.begin()

    def _trained_from_start(self, attempt: GenerateConfig, seed: int) -> Training:
        """A training that has not begun, with what this device can do for its speed."""
        graphs = step_graphs(attempt.memory, self.device, self.report)
        return self.new_training(attempt, seed=seed, device=self.device, processes=self.processes, graphs=graphs)

    def _report_progress(self) -> None:
        total = self.config.optimize.steps
        eta = (total - self.training.step) / self.rate + self.seconds_after if self.rate else None
        self.report(
            Progress(
                stage="train",
                step=self.training.step,
                total=total,
                eta_s=eta,
                rate=self.rate or None,
                memory_mib=peak_memory_mib(self.device),
            )
        )
