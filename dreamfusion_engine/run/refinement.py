"""The training of a refinement as a session: the command `refine` and the end of `generate` run the same."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.events import Control, Report
from dreamfusion_engine.machine.processes import Processes
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.optimize.health import Verdict
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.refinement.previews import Place, RefinePreviews
from dreamfusion_engine.refinement.surface import RefinedSurface
from dreamfusion_engine.refinement.training import RefineTraining
from dreamfusion_engine.run.report import ignore
from dreamfusion_engine.run.teacher import RunTeacher

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


def digest(mesh: TexturedMesh) -> str:
    """Return what a checkpoint says of the mesh that it refined: SHA-256, hex.

    mesh: TexturedMesh.
    """
    whole = hashlib.sha256()
    for array in (mesh.vertices, mesh.triangles, mesh.uv, mesh.texture):
        whole.update(str(array.shape).encode() + array.tobytes())
    return whole.hexdigest()
