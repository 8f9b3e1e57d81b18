"""What a run leaves for people to read: the content of result.json, and the words for a run that was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dreamfusion_engine.config.presets import origins_of, to_json
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import Cancelled
from dreamfusion_engine.events import Note
from dreamfusion_engine.guidance.crossing import CrossingGuidance
from dreamfusion_engine.machine.device import peak_memory_mib
from dreamfusion_engine.machine.places import Places
from dreamfusion_engine.optimize.checkpoint import package_versions
from dreamfusion_engine.optimize.endings import cancelled
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.run.stage_clock import StageClock


def run_report(config: GenerateConfig, session: Session, clock: StageClock, places: Places) -> dict[str, Any]:
    """Return what result.json says of a run of any kind, ready for json.dumps.

    config: GenerateConfig as asked for.
    session: Session that trained.
    clock: StageClock of the run.
    places: Places of the run.
    """
    return {
        "prompt": config.prompt,
        "seed": config.seed,
        "model": config.model,
        "device": str(places.teacher),
        "places": places_report(session, places),
        "config": to_json(config),
        "origins": origins_of(config),
        "versions": package_versions(),
        "steps": session.training.step,
        "steps_per_second": round(session.steps_taken / session.seconds, 3) if session.seconds else None,
        "threads": torch.get_num_threads(),
        "denoiser": session.denoiser.to_json() if session.denoiser is not None else None,
        "processes": session.processes.count,
        "attempt": to_json(session.training.config),  # differs from config after a restart (see health)
        "weights": session.model,
        "seconds": {**clock.finished(), "train_all_sessions": round(session.seconds, 2)},
        "peak_memory_mib": round(peak_memory_mib(places.field)),
        "memory": session.memory_report(),
        "health": session.health_report(),
    }


def at_the_end(content: dict[str, Any], clock: StageClock, places: Places) -> dict[str, Any]:
    """Return what result.json says of a run, with the seconds and the memory of what came since it was put together.

    content: from `run_report`.
    clock: StageClock of the run.
    places: Places of the run.
    """
    roles = (("teacher", places.teacher), ("field", places.field))
    peaks = {role: round(peak_memory_mib(device)) for role, device in roles}
    said = {
        role: {**each, "peak_memory_mib": max(peaks[role], each["peak_memory_mib"])} if role in peaks else each
        for role, each in content["places"].items()
    }
    return {
        **content,
        "seconds": {**content["seconds"], **clock.finished()},
        "peak_memory_mib": max(content["peak_memory_mib"], peaks["field"]),
        "places": said,
    }


def places_report(session: Session, places: Places) -> dict[str, Any]:
    """Return what result.json says of the devices: which, their peak memory, and the bytes of a step between them.

    session: Session that trained.
    places: Places of the run.
    """
    said = places.to_json()
    for role, device in (("teacher", places.teacher), ("field", places.field)):
        said[role]["peak_memory_mib"] = round(peak_memory_mib(device))
    guidance = session.distillation
    if isinstance(guidance, CrossingGuidance):
        traffic = guidance.traffic
        said["carried_bytes"] = {"to_teacher": traffic.there, "to_field": traffic.back}
    return said


def simple_unwrap(trouble: str, part: str = "") -> Note:
    """Return what the artist is told where the simple unwrap took a library's place.

    trouble: str, why.
    part: str, name of what it is about; "": the whole object.
    """
    text = f"The texture has more seams than usual, from the simple unwrap: {trouble}."
    return Note(code="run.simple_unwrap", text=f"{part}: {text[0].lower()}{text[1:]}" if part else text)


def stopped_late(folder: Path, whole_mesh: bool) -> Cancelled:
    """Return the end of a run that was asked to stop after training.

    folder: Path of the run.
    whole_mesh: bool, whether mesh.glb has been written.
    """
    if not whole_mesh:
        return cancelled("Stopped after training, which is kept.")
    return cancelled("Stopped while pictures were taken.", f"You asked for it. The mesh is done: {folder / 'mesh.glb'}")


def ignore(event: object) -> None:
    """Take what is reported in a process that has nothing to say."""
