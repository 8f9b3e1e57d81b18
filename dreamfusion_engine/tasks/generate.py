"""Make a textured mesh of a prompt: the whole method, step by step.

The command line, the server and any script with torch call `generate`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from dreamfusion_engine.config.method import check_begins_from_nothing
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.events import Control, Report, Result, Stage
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.places import Places
from dreamfusion_engine.machine.processes import Processes, leave
from dreamfusion_engine.machine.run_folder import can_resume
from dreamfusion_engine.mesh.build import build_mesh
from dreamfusion_engine.mesh.export import write_glb
from dreamfusion_engine.mesh.pictures.sheet import portrait_scene, write_turntable, write_views
from dreamfusion_engine.models.adapters.files import AdapterFiles
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.pipeline_folder import PipelineFolder
from dreamfusion_engine.optimize.overlap import may_overlap
from dreamfusion_engine.optimize.previews import Previews
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.optimize.step_trial import StepTrial
from dreamfusion_engine.optimize.training import NewTraining
from dreamfusion_engine.optimize.volume_training import VolumeTraining
from dreamfusion_engine.pictures.prepare import CutOut
from dreamfusion_engine.run.course import Course
from dreamfusion_engine.run.entrance import in_folder, trained, write_result
from dreamfusion_engine.run.judgement import judgement
from dreamfusion_engine.run.kept_shape import CHECKPOINT as SHAPE_CHECKPOINT
from dreamfusion_engine.run.kept_shape import Shape, forget_shape, keep_shape, kept_shape
from dreamfusion_engine.run.model import open_run_model, weights_digest
from dreamfusion_engine.run.pictures import RunPictures, keep_pictures, kept_pictures, run_pictures, show
from dreamfusion_engine.run.reference_views import reference_views
from dreamfusion_engine.run.refinement import CHECKPOINT as REFINE_CHECKPOINT
from dreamfusion_engine.run.refinement import refined
from dreamfusion_engine.run.report import at_the_end, ignore, run_report, simple_unwrap, stopped_late
from dreamfusion_engine.run.source import keep_source, kept_source
from dreamfusion_engine.run.stage_clock import StageClock
from dreamfusion_engine.run.start import Start, start_of
from dreamfusion_engine.run.teacher import load_run_teacher, run_places
from dreamfusion_engine.run.texture_stage import CHECKPOINT as TEXTURE_CHECKPOINT
from dreamfusion_engine.run.texture_stage import TextureStage, skipped, texture_stage
from dreamfusion_engine.speed.device_speed import learn_ratio, learn_rest, measured_speed
from dreamfusion_engine.speed.run_time import after_seconds, refining_seconds, step_seconds
from dreamfusion_engine.tasks.clip_mesh import bent_sphere

LATER = (REFINE_CHECKPOINT, SHAPE_CHECKPOINT, TEXTURE_CHECKPOINT)  # of a run, after that of its first training
UNNAMED = "Object"  # the name of an object without a prompt
REFERENCE_VIEWS = 8  # around the object, from 20 degrees above
REFERENCE_PIXELS = 192
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
        or with `resume` from what the run began with. The method 'clip-mesh' takes none.
    pictures: CutOuts of the object, from `pictures.prepare.prepared`, that it is held to; none with `resume`: those
        that the run began with. The method 'clip-mesh' takes none.
    Raises InputError or SetupError before anything is written, also when another run holds `output`.
    Raises RunError when the run fails, Cancelled when it was stopped; the last checkpoint is kept.
    """
    check_begins_from_nothing(config, mesh=bool(blockout), pictures=bool(pictures))
    if config.method == "clip-mesh":
        later = tuple(output / name for name in LATER)
        return bent_sphere(config, output, report=report, control=control, resume=resume, later=later)
    start = start_of(blockout or (kept_source(output) if resume else b""), config)
    given = run_pictures(tuple(pictures) or (kept_pictures(output) if resume else ()), config)
    return in_folder(
        config,
        output,
        report,
        lambda processes, heard: _generate(config, output, processes, heard, control, resume, start, given),
    )


@dataclasses.dataclass(kw_only=True)
class _Run:
    """What the steps of a run share."""

    config: GenerateConfig
    output: Path
    processes: Processes
    report: Report
    control: Control
    resume: bool
    start: Start | None
    pictures: RunPictures | None
    places: Places
    clock: StageClock
    course: Course
    stage: TextureStage | None
    estimated_after: float = 0.0  # seconds after training, from which the next estimate learns; 0: it does not
    whole_mesh: bool = False

    @property
    def subject(self) -> str:
        """Digest of what the run was given; "": nothing."""
        return "".join(each.digest for each in (self.start, self.pictures) if each is not None)

    def advance(self, stage: Stage, share: float) -> None:
        """Tell that a share of a stage is done. Raises Cancelled where the run was asked to stop."""
        if self.control() == "cancel":
            raise stopped_late(self.output, self.whole_mesh)
        self.clock.share(stage, share, self.places.field)


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
    if processes.first and not resume and not can_resume(output):  # else an earlier run needs its own
        keep_pictures(() if pictures is None else pictures.cut_outs, output)
    if pictures is not None:
        show(pictures.cut_outs, report)
    places = run_places(config, processes)
    model = open_run_model(config, report)
    stage = texture_stage(config, report)
    course = Course(report, (config.optimize.steps, config.refine.steps, 0 if stage is None else stage.steps))
    heard = report if stage is None else course
    run = _Run(
        config=config,
        output=output,
        processes=processes,
        report=heard,
        control=control,
        resume=resume,
        start=start,
        pictures=pictures,
        places=places,
        clock=StageClock(heard),
        course=course,
        stage=stage,
    )
    # 1. to 4. The shape with its first texture. A run that was stopped in its second stage has it already.
    weights = weights_digest(model[0], model[1].digest())
    shape = kept_shape(config, output, model=weights, subject=run.subject) if resume and stage is not None else None
    if shape is None:
        shape = _shaped(run, *model)
    else:
        leave()
    if shape is None or not processes.first:
        return Result(folder=str(output), files={}, report={})
    # 5. The texture by another model, where one is named. Nothing holds the first one any more.
    mesh, painted = shape.mesh, dict[str, Any]()
    if stage is not None:
        course.begin(2)
        run.clock = StageClock(heard)
        if control() == "finish":
            report(skipped(config))
        else:
            place = None if start is None else start.place
            mesh, painted["texture"] = stage.paint(
                mesh, places, output, report=heard, control=control, resume=resume, place=place
            )
    # 6. What people look at.
    run.advance("render", 0.0)
    files = {name: output / name for name in ("mesh.glb", "turntable.mp4", "views.png", "result.json")}
    try:
        if start is None:
            write_glb(mesh, files["mesh.glb"], name=config.prompt or UNNAMED)
        else:
            write_glb(start.placed(mesh), files["mesh.glb"], name=config.prompt or UNNAMED, stand=False)
        run.whole_mesh = True
        scene = portrait_scene(mesh, places.field)
        write_views(scene, files["views.png"], config.camera)
        write_turntable(
            scene,
            files["turntable.mp4"],
            config.camera,
            lambda share: run.advance("render", 0.2 + 0.8 * share),
        )
        learn_rest(places.kind, run.clock.seconds_of(_AFTER), run.estimated_after)
        said = judgement(config, mesh, report)
        content = {**at_the_end(shape.content, run.clock, places), **said, **painted}
        write_result(content, files["result.json"])
    except OSError as error:
        raise output_error(output, error) from error
    return Result(folder=str(output), files={name: str(path) for name, path in files.items()}, report=content)


def _shaped(run: _Run, pipeline: PipelineFolder, adapters: AdapterFiles) -> Shape | None:
    """The shape with its first texture; None in another process than the first. The teacher is let go with this frame.

    pipeline, adapters: of the model, from `open_run_model`.
    """
    config, output, processes, report = run.config, run.output, run.processes, run.report
    start, pictures, places, clock = run.start, run.pictures, run.places, run.clock
    device = places.field
    # 1. The frozen diffusion model, and the prompt in its language, from every side and in every shading.
    clock.enter("load", device)
    told = FAMILIES[pipeline.family].told_picture
    shown = pictures.of_teacher() if told and pictures is not None else None
    later = 0.0 if run.stage is None else run.stage.seconds(measured_speed(places.teacher, places.field))
    teacher = load_run_teacher(config, pipeline, adapters, places, report, processes, picture=shown, later=later)
    # 2. A radiance field, optimized until the model likes what it sees from every side.
    session = Session(
        config=config,
        distillation=teacher.distillation,
        device=device,
        places=places,
        folder=output / "checkpoint",
        report=report,
        control=run.control,
        seconds_after=after_seconds(teacher.fitted, teacher.speed)
        + refining_seconds(teacher.sizes, teacher.fitted, teacher.speed)
        + later,
        snapshot=Previews(output / "previews", report, None if start is None else start.place)
        if processes.first
        else ignore,
        model=teacher.weights,
        fitted=teacher.fitted,
        step_down=teacher.step_down(report),
        processes=processes,
        subject=run.subject,
        new_training=_new_training(start, pictures, device),
        later=tuple(output / name for name in LATER),
    )
    if run.resume:
        session.resume()
    elif processes.first:
        cut_outs, blockout = () if pictures is None else pictures.cut_outs, b"" if start is None else start.blockout
        session.keep_inputs = functools.partial(_keep_inputs, cut_outs, blockout, output)
    trial = StepTrial(teacher.fitted, teacher.distillation, device)
    session.denoiser = teacher.settle_runtime(
        alone=processes.count == 1,
        resumed=run.resume,
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
        return None
    # 3. Density to a closed surface, to charts, to a texture.
    mesh, mesh_report = build_mesh(
        *training.frozen(),
        reference_views(training, training.config.camera, REFERENCE_VIEWS, REFERENCE_PIXELS),
        config.mesh,
        run.advance,
        mirrored=config.field.symmetry == "x",
    )
    if mesh_report.unwrap_trouble:
        report(simple_unwrap(mesh_report.unwrap_trouble))
    facts = mesh_report.to_json()
    # 4. Vertices and colours once more, on the surface itself, where the preset asks for it.
    if config.refine.steps:
        run.course.begin(1)
        clock.enter("train", device)
        locked = start is not None and config.start.lock == 1.0
        mesh, found = refined(
            mesh,
            session,
            teacher,
            output=output,
            report=report,
            control=run.control,
            resume=run.resume,
            still=locked or config.field.symmetry == "x",
            place=None if start is None else start.place,
            advance=lambda share: run.advance("bake", share),
        )
        facts |= {"folds": found.folds[1], "crossings": found.crossings[1], "refine": found.to_json()}
    elif run.stage is None and processes.count == 1:  # refining bakes once more, and painting in another way
        run.estimated_after = after_seconds(teacher.fitted, dataclasses.replace(teacher.speed, rest=1.0))
    content = {**run_report(config, session, clock, places), "mesh": facts}
    # The pictures' own colours, where their cameras see the surface.
    if pictures is not None and training.references is not None:
        mesh = pictures.onto(mesh, training.references, device)
        content["pictures"] = pictures.measured(mesh, training.references, device)
    shape = Shape(mesh=mesh, content=content)
    if run.stage is not None and run.control() != "finish":  # one that was made early is not gone on from
        keep_shape(shape, config, output, places=places, model=session.model, subject=run.subject)
    return shape


def _keep_inputs(cut_outs: Sequence[CutOut], blockout: bytes, output: Path) -> None:
    keep_pictures(cut_outs, output)
    keep_source(blockout, output)
    forget_shape(output)


def _new_training(start: Start | None, pictures: RunPictures | None, device: torch.device) -> NewTraining:
    """What makes the run's training: from nothing, or led by a mesh, pictures or both."""
    if start is None and pictures is None:
        return VolumeTraining
    lock = None if start is None else start.lock(device)
    references = None if pictures is None else pictures.references(device)
    return functools.partial(VolumeTraining, lock=lock, references=references)
