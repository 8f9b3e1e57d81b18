"""Make a textured mesh of a prompt: the whole method, step by step.

The command line, the server and any script with torch call `generate`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from dreamfusion_engine.config.refine import refining
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.events import Control, Note, Report, Result, Stage
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.machine.run_folder import can_resume
from dreamfusion_engine.mesh.build import build_mesh
from dreamfusion_engine.mesh.export import write_glb
from dreamfusion_engine.mesh.pictures.sheet import portrait_scene, write_turntable, write_views
from dreamfusion_engine.mesh.surface.silhouette import ReferenceViews
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.optimize.overlap import may_overlap
from dreamfusion_engine.optimize.previews import Previews
from dreamfusion_engine.optimize.session import NewTraining, Session
from dreamfusion_engine.optimize.step_trial import StepTrial
from dreamfusion_engine.optimize.volume_training import VolumeTraining
from dreamfusion_engine.pictures.prepare import CutOut
from dreamfusion_engine.refinement.finish import RefineReport, finished
from dreamfusion_engine.refinement.surface import surface_of
from dreamfusion_engine.refinement.training import RefineTraining
from dreamfusion_engine.run.entrance import in_folder, trained, write_result
from dreamfusion_engine.run.judgement import judgement
from dreamfusion_engine.run.pictures import RunPictures, keep_pictures, kept_pictures, run_pictures, show
from dreamfusion_engine.run.refinement import refine_session
from dreamfusion_engine.run.report import ignore, run_report, simple_unwrap, stopped_late
from dreamfusion_engine.run.source import keep_source, kept_source
from dreamfusion_engine.run.stage_clock import StageClock
from dreamfusion_engine.run.start import Start, start_of
from dreamfusion_engine.run.teacher import RunTeacher, load_run_teacher, open_run_model, run_places
from dreamfusion_engine.scene.cameras import turntable_cameras
from dreamfusion_engine.speed.device_speed import learn_ratio, learn_rest
from dreamfusion_engine.speed.run_time import after_seconds, refining_seconds, step_seconds

UNNAMED = "Object"  # the name of an object without a prompt
REFERENCE_VIEWS = 8  # around the object, from 20 degrees above
REFERENCE_PIXELS = 192
REFINE_CHECKPOINT = "checkpoint-refine"
REFINING = "The mesh stands. Now its vertices and its colours are refined, in {:,} steps."
LEARNT_ABOVE = 20  # steps of a run that say something of the next; the first ones compile
_AFTER: tuple[Stage, ...] = ("extract", "unwrap", "bake", "render")  # training; from them the next estimate learns


def generate(
    config: GenerateConfig,
    output: Path,
    *,
    report: Report = lambda event: None,
    control: Control = lambda: "continue",
    resume: bool = False,
    blockout: bytes = b"",
    pictures: Sequence[CutOut] = (),
) -> Result:
    """Make the object of `config.prompt`, or of a picture, and write it to the folder `output`.

    The same config on the same device, versions and threads gives the same mesh, bit for bit on a CPU (unless the
    unwrap runs into its time box). Of several processes (`machine.processes`) the first writes; the others return a
    result without files when training ends.

    config: GenerateConfig, everything that decides the result.
    output: Path of the run.
    report: called with events.
    control: asked between steps whether to continue.
    resume: bool, whether to continue from the checkpoint in `output`.
    blockout: bytes of a binary glTF, from whose shape the object begins and whose place it takes; b"": from nothing,
        or with `resume` from what the run began with.
    pictures: CutOuts of the object, from `pictures.prepare.prepared`, that it is held to; none with `resume`: those
        that the run began with.
    Raises InputError or SetupError before anything is written, also when another run holds `output`.
    Raises RunError when the run fails, Cancelled when it was stopped; the last checkpoint is kept.
    """
    start = start_of(blockout or (kept_source(output) if resume else b""), config)
    given = run_pictures(tuple(pictures) or (kept_pictures(output) if resume else ()), config)
    return in_folder(
        config,
        output,
        report,
        lambda processes, heard: _generate(config, output, processes, heard, control, resume, start, given),
    )


def _generate(
    config: GenerateConfig,
    output: Path,
    processes: Processes,
    report: Report,
    control: Control,
    resume: bool,
    start: Start | None,
    pictures: RunPictures | None,
) -> Result:
    clock = StageClock(report)
    cut_outs = () if pictures is None else pictures.cut_outs
    blockout = b"" if start is None else start.blockout
    if processes.first and not resume and not can_resume(output):  # else an earlier run needs its own
        keep_pictures(cut_outs, output)
    if pictures is not None:
        show(pictures.cut_outs, report)
    # 1. The frozen diffusion model, and the prompt in its language, from every side and in every shading.
    places = run_places(config, processes)
    device = places.field
    model = open_run_model(config, report)
    clock.enter("load", device)
    shown = None if pictures is None else pictures.of_teacher()
    teacher = load_run_teacher(config, *model, places, report, processes, picture=shown)
    # 2. A radiance field, optimized until the model likes what it sees from every side.
    session = Session(
        config=config,
        distillation=teacher.distillation,
        device=device,
        places=places,
        folder=output / "checkpoint",
        report=report,
        control=control,
        seconds_after=after_seconds(teacher.fitted, teacher.speed)
        + refining_seconds(teacher.sizes, teacher.fitted, teacher.speed),
        snapshot=Previews(output / "previews", report, None if start is None else start.place)
        if processes.first
        else ignore,
        model=teacher.weights,
        fitted=teacher.fitted,
        step_down=teacher.step_down(report),
        processes=processes,
        subject=("" if start is None else start.digest) + ("" if pictures is None else pictures.digest),
        new_training=_new_training(start, pictures, device),
        later=(output / REFINE_CHECKPOINT,),
    )
    if resume:
        session.resume()
    elif processes.first:
        session.keep_inputs = functools.partial(_keep_inputs, cut_outs, blockout, output)
    trial = StepTrial(teacher.fitted, teacher.distillation, device)
    session.denoiser = teacher.settle_runtime(
        alone=processes.count == 1,
        resumed=resume,
        recorded=session.denoiser,
        step_seconds=trial.seconds if may_overlap(teacher.fitted) else None,
        report=report,
    )
    clock.enter("train", device)
    training = trained(session)
    assert isinstance(training, VolumeTraining)
    if processes.count == 1 and session.training.step >= LEARNT_ABOVE and session.steps_taken:
        by_arithmetic = step_seconds(teacher.sizes, teacher.fitted, teacher.speed)
        learn_ratio(places.kind, config.model, session.seconds / session.steps_taken, by_arithmetic)
    if not processes.first:
        return Result(folder=str(output), files={}, report={})
    # 3. Density to a closed surface, to charts, to a texture.
    whole_mesh = False

    def advance(stage: Stage, share: float) -> None:
        if control() == "cancel":
            raise stopped_late(output, whole_mesh)
        clock.share(stage, share, device)

    mesh, mesh_report = build_mesh(
        *training.frozen(), reference_views(training), config.mesh, advance, mirrored=config.field.symmetry == "x"
    )
    if mesh_report.unwrap_trouble:
        report(simple_unwrap(mesh_report.unwrap_trouble))
    refinement: dict[str, Any] = {}
    # 4. Vertices and colours once more, on the surface itself, where the preset asks for it.
    if config.refine.steps:
        clock.enter("train", device)
        mesh, facts = _refined(mesh, session, teacher, output, report, control, resume, start, advance)
        mesh_report = dataclasses.replace(mesh_report, folds=facts.folds[1], crossings=facts.crossings[1])
        refinement = {"refine": facts.to_json()}
    # 5. The pictures' own colours, where their cameras see the surface.
    if pictures is not None and training.references is not None:
        mesh = pictures.onto(mesh, training.references, device)
    # 6. What people look at.
    advance("render", 0.0)
    files = {name: output / name for name in ("mesh.glb", "turntable.mp4", "views.png", "result.json")}
    try:
        if start is None:
            write_glb(mesh, files["mesh.glb"], name=config.prompt or UNNAMED)
        else:
            write_glb(start.placed(mesh), files["mesh.glb"], name=config.prompt or UNNAMED, stand=False)
        whole_mesh = True
        scene = portrait_scene(mesh, device)
        write_views(scene, files["views.png"], config.camera)
        write_turntable(
            scene,
            files["turntable.mp4"],
            config.camera,
            lambda share: advance("render", 0.2 + 0.8 * share),
        )
        if processes.count == 1 and not config.refine.steps:  # refining bakes once more
            plain = dataclasses.replace(teacher.speed, rest=1.0)
            learn_rest(places.kind, clock.seconds_of(_AFTER), after_seconds(teacher.fitted, plain))
        said = judgement(config, mesh, report)
        content = {**run_report(config, session, clock, places), **said, "mesh": mesh_report.to_json() | refinement}
        if pictures is not None and training.references is not None:
            content["pictures"] = pictures.measured(mesh, training.references, device)
        write_result(content, files["result.json"])
    except OSError as error:
        raise output_error(output, error) from error
    return Result(folder=str(output), files={name: str(path) for name, path in files.items()}, report=content)


def _keep_inputs(cut_outs: Sequence[CutOut], blockout: bytes, output: Path) -> None:
    keep_pictures(cut_outs, output)
    keep_source(blockout, output)


def _new_training(start: Start | None, pictures: RunPictures | None, device: torch.device) -> NewTraining:
    """What makes the run's training: from nothing, or led by a mesh, pictures or both."""
    if start is None and pictures is None:
        return VolumeTraining
    lock = None if start is None else start.lock(device)
    references = None if pictures is None else pictures.references(device)
    return functools.partial(VolumeTraining, lock=lock, references=references)


def _refined(
    mesh: TexturedMesh,
    session: Session,
    teacher: RunTeacher,
    output: Path,
    report: Report,
    control: Control,
    resume: bool,
    start: Start | None,
    advance: Callable[[Stage, float], None],
) -> tuple[TexturedMesh, RefineReport]:
    """The mesh after its refinement, by this process alone, and what was measured."""
    config, fitted = (refining(each, {}) for each in (session.config, teacher.fitted))
    # A locked blockout's shape holds to the end, and so does a mirror image, which moves would break.
    if config.field.symmetry == "x" or (start is not None and config.start.lock == 1.0):
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
            checkpoint=REFINE_CHECKPOINT,
            processes=ALONE,
            report=report,
            control=control,
            place=None if start is None else start.place,
        )

    better = begun()
    if resume and (output / REFINE_CHECKPOINT).is_dir():
        try:
            better.resume()
        except InputError:  # of an earlier run in this folder, or damaged
            better = begun()
    better.denoiser = session.denoiser
    training = better.run()
    assert isinstance(training, RefineTraining)
    return finished(surface, training, padding=config.mesh.padding, advance=lambda share: advance("bake", share))


def reference_views(training: VolumeTraining) -> ReferenceViews:
    """The field's albedo renders that the mesh is held against."""
    cameras = turntable_cameras(
        REFERENCE_VIEWS, elevation=math.radians(20.0), config=training.config.camera, device=training.device
    )
    seen = training.view(cameras, REFERENCE_PIXELS)
    return ReferenceViews(cameras=cameras, colour=seen.colour, opacity=seen.opacity)
