"""A whole training: all steps, with checkpoints, health checks, restarts and reports."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from dreamfusion_engine.config.presets import from_json, to_json
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import EngineError, InputError, RunError
from dreamfusion_engine.events import Control, Note, Progress, Report
from dreamfusion_engine.guidance.denoiser.choice import Choice
from dreamfusion_engine.guidance.guidance import Guidance
from dreamfusion_engine.machine.device import MIB, device_lost, out_of_memory, peak_memory_mib, release_memory
from dreamfusion_engine.machine.places import Places, spoken_kind
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.memory.estimate import estimate
from dreamfusion_engine.memory.step_down import StepDown, resumed_attempt
from dreamfusion_engine.optimize.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, set_aside
from dreamfusion_engine.optimize.endings import cancelled, lost_device
from dreamfusion_engine.optimize.health import VERDICTS, HealthMonitor, Verdict, probe_cameras
from dreamfusion_engine.optimize.recovery import WARNINGS, recover
from dreamfusion_engine.optimize.step_graphs import StepGraphs, step_graphs
from dreamfusion_engine.optimize.training import Training
from dreamfusion_engine.optimize.volume_training import VolumeTraining

PROBE_EVERY = 25  # steps
VIEWS_DIFFER = 0.15  # contrast of front and back above which two equal sides are a fault; measured on the starter model
_CONTRAST_AT = 0.75  # share of training at which it is asked
_LEARNED = "distillation."  # in a checkpoint: what the score itself learns, if it does
_REPORT_EVERY = 0.25  # seconds
_SNAPSHOT_SHARE = 0.05  # of the time may go into previews ...
_SNAPSHOT_EVERY = 2.0  # ... and they come this many seconds apart at least ...
_SNAPSHOT_LATEST = 5.0  # ... and at most, because somebody is watching,
_SNAPSHOT_MOST = 0.25  # unless that took more than this share of the time


class NewTraining(Protocol):
    """Makes a training that has not begun: VolumeTraining, or a kind that renders something else."""

    def __call__(
        self,
        config: GenerateConfig,
        *,
        seed: int,
        device: torch.device,
        processes: Processes,
        graphs: StepGraphs | None,
    ) -> Training: ...


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
        self._previews = True
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
        saved = load_checkpoint(self.folder, self.config, given=bool(self.subject))
        if saved.extra["model"] != self.model:
            raise InputError(
                "checkpoint.other_run",
                what="The saved checkpoint was trained with another diffusion model.",
                why=f"The weights behind '{self.config.model}' have changed since.",
                fix="Resume with the weights of then, or leave out --resume to start anew.",
            )
        if saved.extra.get("subject", "") != self.subject:
            raise InputError(
                "checkpoint.other_run",
                what="The saved checkpoint is about another mesh or other pictures.",
                why="The mesh, its UVs, its front or the pictures and their views are not those of the run.",
                fix="Resume with those of then, or leave out --resume to start anew.",
            )
        if saved.device != self._kind:
            then_on, now_on = (spoken_kind(kind) for kind in (str(saved.device), self._kind))
            text = f"The run began on {then_on}. It continues on {now_on}. "
            text += "The mesh may differ from that of an unbroken run."
            self.report(Note(code="run.other_device", text=text))
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
        self.denoiser = _recorded_runtime(saved)
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
        reported = snapped = 0.0
        snapshot_cost = 0.0
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
            latest = max(_SNAPSHOT_LATEST, snapshot_cost / _SNAPSHOT_MOST)
            if now - snapped > min(max(_SNAPSHOT_EVERY, snapshot_cost / _SNAPSHOT_SHARE), latest):
                snapped = time.monotonic()
                self._show()
                snapshot_cost = time.monotonic() - snapped
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
            aside = set_aside(self.folder, *self.later)
            if aside:
                names = " and ".join(path.name for path in aside)
                text = f"An unfinished run was in this folder. Its checkpoint is kept: {names}"
                self.report(Note(code="run.set_aside", text=text))
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

    def _show(self) -> None:
        """Previews, for as long as there is memory for them: they are not worth a run."""
        if not self._previews:
            return
        try:
            self.snapshot(self.training)
        except Exception as error:
            if not out_of_memory(error):
                raise
            self._previews = False
        if not self._previews:
            release_memory()
            self.report(Note(code="memory.previews", text="There is no memory for previews. The run goes on without."))

    def _step(self) -> Verdict | None:
        """One training step and, now and then, a look at its health."""
        self.training.train_step(self.distillation, overlap=self.denoiser is not None and self.denoiser.overlap is True)
        if self.training.broken():
            return "non_finite"
        if self.training.step % PROBE_EVERY:
            return None
        before = (self.training.step - PROBE_EVERY) / self.config.optimize.steps
        # Once, and for many_faced alone: it takes a call of the model.
        asks = "many_faced" in self.watched and before < _CONTRAST_AT <= self.training.progress
        probe, contrast = self.processes.all_or_none(
            lambda: (self.training.probe(), self._view_contrast() if asks else 0.0)
        )
        verdict = self.health.observe(probe)
        if asks:
            self.health.views_differ = self.processes.agree(contrast > VIEWS_DIFFER)
        return self.processes.agree(verdict)

    def _view_contrast(self) -> float:
        """How differently the model sees the front and the back of this prompt; 0 without either.

        A model that judges several views together is asked nothing: it is told where each is from, not by words.
        """
        words = self.config.guidance.view_prompts != "off" and self.distillation.together == 1
        if not words or not self.distillation.has_front:
            return 0.0
        cameras = probe_cameras(self.config.camera, self.device)
        images = self.training.view(cameras, self.training.config.optimize.resolution[-1]).colour.permute(0, 3, 1, 2)
        generator = torch.Generator(device=self.device).manual_seed(self.config.seed)
        return self.distillation.view_contrast(images, "albedo", generator)

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


def _recorded_runtime(saved: Checkpoint) -> Choice | None:
    """What ran the denoiser so far; None where it does not say, as an earlier version."""
    values = saved.extra.get("denoiser")
    return None if values is None else Choice.from_json(values)
