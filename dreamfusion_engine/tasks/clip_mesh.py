"""Make a textured mesh of a prompt by bending a sphere: CLIP-Mesh (Khalid 2022, arXiv 2203.13333), step by step.

`generate` calls `bent_sphere` where the method is 'clip-mesh'. No surface is cut out of a field here, nor unwrapped.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from dreamfusion_engine.clip_mesh.finish import finished
from dreamfusion_engine.clip_mesh.previews import ClipMeshPreviews
from dreamfusion_engine.clip_mesh.training import ClipMeshTraining
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.events import Control, Report, Result, Stage
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.processes import Processes
from dreamfusion_engine.mesh.export import write_glb
from dreamfusion_engine.mesh.pictures.sheet import portrait_scene, write_turntable, write_views
from dreamfusion_engine.optimize.health import Verdict
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.run.entrance import in_folder, trained, write_result
from dreamfusion_engine.run.judgement import judgement
from dreamfusion_engine.run.model import open_run_model
from dreamfusion_engine.run.pictures import keep_pictures
from dreamfusion_engine.run.report import ignore, run_report, stopped_late
from dreamfusion_engine.run.source import keep_source
from dreamfusion_engine.run.stage_clock import StageClock
from dreamfusion_engine.run.teacher import load_run_teacher, run_places
from dreamfusion_engine.speed.device_speed import learn_ratio
from dreamfusion_engine.speed.run_time import after_seconds, step_seconds, timed_as

LEARNT_ABOVE = 20  # steps of a run that say something of the next; the first ones compile
# A surface that is always there, and is watched from where it fills the picture, is neither empty nor fills a box. That
# it is flat or has several faces could be so; but what a restart then changes is about a field or a denoiser.
_WATCHED: tuple[Verdict, ...] = ("non_finite",)


def bent_sphere(
    config: GenerateConfig,
    output: Path,
    *,
    report: Report = lambda event: None,
    control: Control = lambda: "continue",
    resume: bool = False,
    later: tuple[Path, ...] = (),
) -> Result:
    """Make the object of `config.prompt` of a sphere and write it to the folder `output`.

    The same config on the same device, versions and threads gives the same mesh, bit for bit on a CPU.

    config: GenerateConfig, whose method is 'clip-mesh'.
    output: Path of the run.
    report: called with events.
    control: asked between steps whether to continue.
    resume: bool, whether to continue from the checkpoint in `output`.
    later: Paths of checkpoints that an earlier run of another kind may have left, set aside with its own.
    Raises InputError or SetupError before anything is written, also when another run holds `output`.
    Raises RunError when the run fails, Cancelled when it was stopped; the last checkpoint is kept.
    """
    return in_folder(
        config,
        output,
        report,
        lambda processes, heard: _bent_sphere(config, output, processes, heard, control, resume, later),
    )


def _bent_sphere(
    config: GenerateConfig,
    output: Path,
    processes: Processes,
    report: Report,
    control: Control,
    resume: bool,
    later: tuple[Path, ...],
) -> Result:
    clock = StageClock(report)
    # 1. The frozen CLIP, and the prompt as a vector.
    places = run_places(config, processes)
    device = places.field
    model = open_run_model(config, report)
    clock.enter("load", device)
    teacher = load_run_teacher(config, *model, places, report, processes)
    # 2. A sphere, bent and painted until the CLIP finds the prompt in it from every side.
    session = Session(
        config=config,
        distillation=teacher.distillation,
        device=device,
        places=places,
        folder=output / "checkpoint",
        report=report,
        control=control,
        seconds_after=after_seconds(teacher.fitted, teacher.speed),
        snapshot=ClipMeshPreviews(output / "previews", report) if processes.first else ignore,
        model=teacher.weights,
        fitted=teacher.fitted,
        step_down=teacher.step_down(report),
        processes=processes,
        new_training=ClipMeshTraining,
        watched=_WATCHED,
        later=later,
    )
    if resume:
        session.resume()
    elif processes.first:
        session.keep_inputs = lambda: _forget_inputs(output)
    session.denoiser = teacher.settle_runtime(
        alone=processes.count == 1,
        resumed=resume,
        recorded=session.denoiser,
        step_seconds=None,
        report=report,
    )
    clock.enter("train", device)
    training = trained(session)
    assert isinstance(training, ClipMeshTraining)
    if processes.count == 1 and session.training.step >= LEARNT_ABOVE and session.steps_taken:
        by_arithmetic = step_seconds(teacher.sizes, teacher.fitted, teacher.speed)
        learn_ratio(places.kind, timed_as(config), session.seconds / session.steps_taken, by_arithmetic)
    if not processes.first:
        return Result(folder=str(output), files={}, report={})
    done = False

    def advance(stage: Stage, share: float) -> None:
        if control() == "cancel":
            raise stopped_late(output, done)
        clock.share(stage, share, device)

    # 3. Its limit surface within the budget of triangles, with the maps that it was trained with.
    mesh, facts = finished(training, config.mesh, lambda share: advance("bake", share))
    # 4. What people look at.
    advance("render", 0.0)
    files = {name: output / name for name in ("mesh.glb", "turntable.mp4", "views.png", "result.json")}
    try:
        write_glb(mesh, files["mesh.glb"], name=config.prompt)
        done = True
        scene = portrait_scene(mesh, device)
        # Training looks from near and far through lenses of all kinds; portraits have the usual one.
        camera = dataclasses.replace(config.camera, distance=(3.0, 3.5), fov_deg=(36.0, 42.0))
        write_views(scene, files["views.png"], camera)
        write_turntable(scene, files["turntable.mp4"], camera, lambda share: advance("render", 0.2 + 0.8 * share))
        said = judgement(config, mesh, report)
        content = {**run_report(config, session, clock, places), **said, "mesh": facts.to_json()}
        write_result(content, files["result.json"])
    except OSError as error:
        raise output_error(output, error) from error
    return Result(folder=str(output), files={name: str(path) for name, path in files.items()}, report=content)


def _forget_inputs(output: Path) -> None:
    """Remove the pictures and the mesh that an earlier run in this folder was given: this one has none."""
    keep_pictures((), output)
    keep_source(b"", output)
