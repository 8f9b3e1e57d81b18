"""Choose the runtime, precision and number of threads of a run's denoiser: measured once, kept, repeated.

Torch is the reference. Everything else falls back to it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.guidance.denoiser.choice import Choice, Computed, why_torch
from dreamfusion_engine.guidance.denoiser.cpu_ways import CpuWays
from dreamfusion_engine.guidance.denoiser.host import step_call
from dreamfusion_engine.guidance.denoiser.openvino_graph import GraphError
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.machine.backends import has_bfloat16
from dreamfusion_engine.machine.cache_folder import cache_folder
from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.families.parts import Parts

_PRECISIONS: dict[str, tuple[Computed, ...]] = {
    "auto": ("bfloat16", "float32"),
    "bfloat16": ("bfloat16",),
    "float32": ("float32",),
}


def settle_runtime(
    teacher: Adapter,
    distillation: ScoreDistillation,
    config: GenerateConfig,
    *,
    parameters: int,
    model: str,
    alone: bool,
    changed: bool,
    resumed: bool,
    recorded: Choice | None,
    step_seconds: Callable[[bool], float] | None = None,
    report: Report,
) -> Choice:
    """Choose what runs the teacher's denoiser, and change the teacher accordingly.

    teacher: Adapter of the model.
    distillation: ScoreDistillation of the teacher.
    config: GenerateConfig, after it was made to fit the memory.
    parameters: int, number of the denoiser's weights.
    model: str, digest of the denoiser's weights.
    alone: bool, whether no other process trains along.
    changed: bool, whether settings were changed to fit the memory.
    resumed: bool, whether the run goes on from a checkpoint.
    recorded: Choice of that checkpoint; None where it has none.
    step_seconds: overlapped or not, to the seconds of a training step with the teacher as it is; None: steps are not
        halved.
    report: told where a wish cannot be met.
    """
    wish = config.memory.denoiser_runtime
    allowed = _PRECISIONS.get(config.memory.precision, ())
    begun = recorded if recorded is not None and wish == "auto" and recorded.precision in allowed else None
    reference = torch_as_it_is(teacher.parts)
    why = why_torch(parameters, config, device=teacher.device.type, alone=alone, changed=changed)
    if resumed and recorded is None and wish == "auto":
        why = why or "the run began with a version that had no other"
    choice = dataclasses.replace(reference, why=why)
    if not why:
        try:
            network, call = teacher.denoiser, step_call(teacher, distillation, config)
            folder = cache_folder() / "denoisers"
            ways = CpuWays(network, call, reference, folder, model, worth_trying(allowed, reference))
            choice = begun or ways.choose(forced=wish == "openvino")
            if choice.runtime == "openvino":
                ways.prove(choice)
                teacher.denoiser = ways.hosted(choice)
                if begun is None and step_seconds is not None and config.memory.overlap == "auto":
                    choice = ways.choose_overlap(choice, teacher, step_seconds, forced=wish == "openvino")
        except (GraphError, OSError) as error:
            choice = dataclasses.replace(reference, why=f"OpenVINO failed: {error}")
    elif begun is not None and begun.runtime == "torch":
        choice = begun
    if choice.runtime == "torch" and teacher.device.type == "cpu" and choice.precision != "float16":
        teacher.parts.autocast = torch.bfloat16 if choice.precision == "bfloat16" else None
    if begun is not None and begun != choice:
        text = f"The run began with its denoiser in {begun.name}, and goes on in {choice.name}: {choice.why}. "
        text += "The mesh may differ a little from that of an unbroken run."
        report(Note(code="memory.denoiser_runtime", text=text))
    elif wish == "openvino" and choice.runtime == "torch":
        text = f"The denoiser runs in torch, although OpenVINO is asked for: {choice.why}."
        report(Note(code="memory.denoiser_runtime", text=text))
    if config.memory.overlap == "auto":
        return choice
    return dataclasses.replace(choice, overlap=config.memory.overlap == "on")


def worth_trying(allowed: tuple[Computed, ...], reference: Choice) -> tuple[Computed, ...]:
    """Return the allowed precisions to measure: the reference's, float32, and bfloat16 where the processor has it.

    A processor without bfloat16 needs twenty times float32's time for it.

    allowed: precisions that the settings allow.
    reference: Choice, torch as it runs today.
    """
    return tuple(p for p in allowed if p == reference.precision or p == "float32" or has_bfloat16("cpu"))


def torch_as_it_is(parts: Parts, why: str = "") -> Choice:
    """Return the choice of torch, in the precision of a loaded model and with the threads that it has now.

    parts: Parts of the model.
    why: str, the reason, for people.
    """
    return Choice(runtime="torch", precision=_precision(parts), threads=torch.get_num_threads(), why=why)


def _precision(parts: Parts) -> Computed:
    dtype = parts.autocast or parts.dtype
    return {torch.bfloat16: "bfloat16", torch.float16: "float16"}.get(dtype, "float32")  # type: ignore[return-value]
