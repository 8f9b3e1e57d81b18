"""The way into a run's folder and out of its training, the same for every kind of run."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import Cancelled
from dreamfusion_engine.events import Report, Result
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.places import resolve_places
from dreamfusion_engine.machine.processes import Processes, join, leave
from dreamfusion_engine.machine.run_folder import can_resume, held
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.optimize.training import Training
from dreamfusion_engine.run.report import ignore
from dreamfusion_engine.run.source import keep_source
from dreamfusion_engine.run.teacher import RunTeacher


def in_folder(
    config: GenerateConfig, output: Path, report: Report, work: Callable[[Processes, Report], Result]
) -> Result:
    """Join the processes that train together and do the run's work; the first process holds the folder meanwhile.

    The others compute for the first, which alone speaks and writes.

    config: GenerateConfig of the run.
    output: Path of the run.
    report: told of events, by the first process.
    work: the run, given its process and whom to tell.
    Raises InputError where the folder cannot be made, or another run holds it.
    """
    processes = join(resolve_places(config.device).field.type)
    if not processes.first:
        return work(processes, ignore)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(output))
        except OSError as error:
            raise output_error(output, error) from error
        try:
            return work(processes, report)
        except Cancelled as error:
            if can_resume(output):
                raise
            raise Cancelled(
                error.code,
                what="Stopped before training began.",
                why=error.why,
                fix="Give the same command to begin again.",
            ) from error


def begin_on_mesh(
    session: Session, teacher: RunTeacher, mesh: bytes, output: Path, report: Report, *, resume: bool
) -> None:
    """Bring the session of a run on a mesh to its checkpoint, or have it keep the mesh; choose what runs the denoiser.

    session: Session, before its first step.
    teacher: RunTeacher with the prompt.
    mesh: bytes of a binary glTF.
    output: Path of the run.
    report: of the run.
    resume: bool, whether to go on from the checkpoint.
    Raises InputError or SetupError where no checkpoint fits.
    """
    if resume:
        session.resume()
    elif session.processes.first:
        session.keep_inputs = functools.partial(keep_source, mesh, output)
    session.denoiser = teacher.settle_runtime(
        alone=session.processes.count == 1,
        resumed=resume,
        recorded=session.denoiser,
        step_seconds=None,
        report=report,
    )


def trained(session: Session) -> Training:
    """Return the training at its end; the processes part, also when the run is cancelled.

    session: Session to run.
    Raises what `Session.run` raises.
    """
    try:
        training = session.run()
    except Cancelled:  # in every process at the same step
        leave()
        raise
    leave()
    return training


def write_result(content: dict[str, Any], path: Path) -> None:
    """Write result.json.

    content: of the file; every number finite.
    path: Path of the file.
    Raises OSError.
    """
    write_atomically(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
