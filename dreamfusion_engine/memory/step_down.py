"""When memory runs out during training: give something up, report it, and make the same step again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from dreamfusion_engine.config.stages import GenerateConfig, MemoryConfig
from dreamfusion_engine.errors import RunError
from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.inputs.outside_text import first_line
from dreamfusion_engine.machine.backends import BACKENDS, kinds_of, share_memory
from dreamfusion_engine.machine.device import release_memory
from dreamfusion_engine.memory.ladder import ShortOf, next_saving
from dreamfusion_engine.models.sizes import ModelSizes

_MAIN_MEMORY = ("cpuallocator", "device 'cpu'", "cannot allocate memory", "memoryerror", "unable to allocate")
_CARDS = ("cuda", "hip", "xpu", "level_zero", "native api", "outofmemoryerror")
# Settings that a run out of memory may be resumed with; they do not spoil what has been trained.
CHANGED_ON_RESUME = ("views", "resolution")  # of optimize; and all of memory


@dataclass(kw_only=True)
class StepDown:
    """The way down the ladder of `memory.ladder`.

    device: torch.device of the training.
    report: told of each step down.
    sizes: ModelSizes of the model.
    kind: str, of the run's places (`machine.places.Places.kind`); '': both are on `device`.
    moving: int or None, as for `memory.estimate.estimate`.
    economise: brings the loaded model in line with changed memory settings.
    taken: every step down so far, for result.json and checkpoints: step, setting, text, reason.
    """

    device: torch.device
    report: Report
    sizes: ModelSizes = field(default_factory=lambda: ModelSizes(denoiser=0, text_encoders=0))
    kind: str = ""
    moving: int | None = None
    economise: Callable[[MemoryConfig], None] = lambda memory: None
    taken: list[dict[str, Any]] = field(default_factory=list)

    def take(self, config: GenerateConfig, step: int, reason: str) -> GenerateConfig:
        """Return the settings for making the same training step again, after memory ran out.

        Call it when the error and its traceback, which hold tensors, are gone.

        config: GenerateConfig of the attempt so far.
        step: int, the training step.
        reason: str, why memory ran out.
        Raises RunError run.out_of_memory at the end of the ladder.
        """
        release_memory()
        short_of = whose_memory(reason, self.kind or self.device.type)
        whose = {"teacher": "The memory of the teacher's device", "field": "The memory of the field's device"}
        what = f"{whose.get(short_of, 'The memory')} ran out at step {step}"
        saving = next_saving(self.sizes, config, self.kind or self.device.type, short_of)
        if saving is None:
            raise RunError(
                "run.out_of_memory",
                what=f"{what}, and there is nothing left to save.",
                why=first_line(reason),
                fix="The training so far is kept. Close other programs, on a card also those that draw on it, and give "
                "the same command with --resume; or start anew with a smaller --model, or with --device cpu.",
            )
        self.economise(saving.config.memory)
        self.taken.append({"step": step, "setting": saving.setting, "text": saving.text, "reason": first_line(reason)})
        text = f"{what}. It goes on from there with less: {saving.text}."
        self.report(Note(code="memory.step_down", text=text))
        return saving.config


def whose_memory(reason: str, kind: str) -> ShortOf:
    """Return whose memory ran out, by what the libraries said of it; '' where both share one, or nobody knows.

    reason: str, text of the error.
    kind: str, of the run's places.
    """
    if share_memory(kind):
        return ""
    said = reason.lower()
    of_main = any(sign in said for sign in _MAIN_MEMORY)
    teacher, field = (BACKENDS[name].own_memory for name in kinds_of(kind))
    if teacher == field or (not of_main and not any(sign in said for sign in _CARDS)):
        return ""
    return "teacher" if of_main != teacher else "field"


def resumed_attempt(attempt: GenerateConfig, then: GenerateConfig, now: GenerateConfig) -> GenerateConfig:
    """Return the settings of an interrupted attempt, with the memory settings that were asked differently this time.

    Settings that were not asked differently stay as the attempt had them, steps down included.

    attempt: GenerateConfig of the attempt.
    then: GenerateConfig as asked for when the run began.
    now: GenerateConfig as asked for when it is resumed.
    """

    def merged(group: Any, before: Any, after: Any, names: tuple[str, ...]) -> Any:
        changed = {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}
        return dataclasses.replace(group, **changed)

    names = tuple(f.name for f in dataclasses.fields(MemoryConfig))
    memory = merged(attempt.memory, then.memory, now.memory, names)
    optimize = merged(attempt.optimize, then.optimize, now.optimize, CHANGED_ON_RESUME)
    return dataclasses.replace(attempt, memory=memory, optimize=optimize)
