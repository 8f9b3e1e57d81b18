"""The training of a refinement as a session: the command `refine` and the end of `generate` run the same."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

from dreamfusion_engine.config.refine import refining
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.events import Control, Note, Report
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.optimize.health import Verdict
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.refinement.finish import RefineReport, finished
from dreamfusion_engine.refinement.previews import Place, RefinePreviews
from dreamfusion_engine.refinement.surface import RefinedSurface, surface_of
from dreamfusion_engine.refinement.training import RefineTraining
from dreamfusion_engine.run.report import ignore
from dreamfusion_engine.run.teacher import RunTeacher

CHECKPOINT = "checkpoint-refine"  # of the refinement at the end of `generate`
REFINING = "The mesh stands. Now its vertices and its colours are refined, in {:,} steps."
SECONDS_AFTER = 10.0  # of texture and pictures on two cores
# The shape is there: the run cannot make it empty, flat or two-faced.
WATCHED: tuple[Verdict, ...] = ("non_finite",)


def refine_session(
    surface: RefinedSurface,
    config: GenerateConfig,
    teacher: RunTeacher,
    *,
    fitted: GenerateConfig,
    output: Path,
    checkpoint: str,
    processes: Processes,
    report: Report,
    control: Control,
    place: Place | None = None,
) -> Session:
    """Return the session that refines a surface, from its beginning.

    surface: RefinedSurface.
    config: GenerateConfig from `config.refine.refining`, as asked for.
    teacher: RunTeacher with the prompt.
    fitted: GenerateConfig with what was changed to fit the memory.
    output: Path of the run.
    checkpoint: str, name of the checkpoint's folder there.
    processes: Processes that train together.
    report, control: of the run.
    place: as for `RefinePreviews`.
    """
    return Session(
        config=config,
        distillation=teacher.distillation,
        device=teacher.places.field,
        places=teacher.places,
        folder=output / checkpoint,
        report=report,
        control=control,
        seconds_after=SECONDS_AFTER,
        snapshot=RefinePreviews(surface, output / "previews", report, place) if processes.first else ignore,
        model=teacher.weights,
        subject=digest(surface.mesh),
        fitted=fitted,
        step_down=teacher.step_down(report),
        processes=processes,
        new_training=functools.partial(RefineTraining, surface),
        watched=WATCHED,
    )


def refined(
    mesh: TexturedMesh,
    session: Session,
    teacher: RunTeacher,
    *,
    output: Path,
    report: Report,
    control: Control,
    resume: bool,
    still: bool,
    place: Place | None,
    advance: Callable[[float], None],
) -> tuple[TexturedMesh, RefineReport]:
    """Return a new mesh after its refinement, by this process alone, and what was measured.

    mesh: TexturedMesh that `generate` has made.
    session: Session of its training, at its end.
    teacher: RunTeacher with the prompt.
    output: Path of the run.
    report, control: of the run.
    resume: bool, whether to go on from the refinement's checkpoint, if it has one.
    still: bool, whether no vertex moves: a locked blockout's shape holds to the end, and so does a mirror image.
    place: as for `RefinePreviews`.
    advance: told the share done of what comes after training, in [0, 1].
    Raises as `Session.run`.
    """
    config, fitted = (refining(each, {}) for each in (session.config, teacher.fitted))
    if still:
        config, fitted = (
            dataclasses.replace(each, refine=dataclasses.replace(each.refine, strength=0.0))
            for each in (config, fitted)
        )
    surface = surface_of(mesh)
    teacher.distillation.restart(config.guidance, config.seed)
    report(Note(code="run.refining", text=REFINING.format(config.optimize.steps)))

    def begun() -> Session:
        return refine_session(
            surface,
            config,
            teacher,
            fitted=fitted,
            output=output,
            checkpoint=CHECKPOINT,
            processes=ALONE,
            report=report,
            control=control,
            place=place,
        )

    better = begun()
    if resume and (output / CHECKPOINT).is_dir():
        try:
            better.resume()
        except InputError:  # of an earlier run in this folder, or damaged
            better = begun()
    better.denoiser = session.denoiser
    training = better.run()
    assert isinstance(training, RefineTraining)
    return finished(surface, training, padding=config.mesh.padding, advance=advance)


def digest(mesh: TexturedMesh) -> str:
    """Return what a checkpoint says of the mesh that it refined: SHA-256, hex.

    mesh: TexturedMesh.
    """
    whole = hashlib.sha256()
    for array in (mesh.vertices, mesh.triangles, mesh.uv, mesh.texture):
        whole.update(str(array.shape).encode() + array.tobytes())
    return whole.hexdigest()
