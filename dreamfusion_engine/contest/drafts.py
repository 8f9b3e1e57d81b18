"""The drafts of a contest: trained to a round's step, shown, graded, and made into a small mesh when they stop."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import torch

from dreamfusion_engine.config.stages import GenerateConfig, MeshConfig
from dreamfusion_engine.contest.course import Course
from dreamfusion_engine.errors import RunError
from dreamfusion_engine.events import Control, DraftMesh, Preview, Report, Stage
from dreamfusion_engine.guidance.denoiser.choice import Choice
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.run_folder import INDEX
from dreamfusion_engine.mesh.build import build_mesh
from dreamfusion_engine.mesh.export import write_glb
from dreamfusion_engine.optimize.endings import cancelled
from dreamfusion_engine.optimize.overlap import may_overlap
from dreamfusion_engine.optimize.previews import BACKGROUND, Previews, png, preview_cameras
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.optimize.step_trial import StepTrial
from dreamfusion_engine.optimize.volume_training import VolumeTraining
from dreamfusion_engine.run.reference_views import reference_views
from dreamfusion_engine.run.start import Start
from dreamfusion_engine.run.teacher import RunTeacher

THUMBNAIL, VIEWS, MESH = "thumbnail.png", "views.png", "mesh.glb"
THUMBNAIL_PIXELS = 192
_VIEW_PIXELS = 128
_REFERENCE_VIEWS, _REFERENCE_PIXELS = 4, 96
# Of a draft's mesh: enough to judge and to place it, and made in seconds.
_DRAFT = {"resolution": 96, "triangles": 6_000, "texture": 512, "unwrap_seconds": 10.0}


def seed_folder(output: Path, seed: int) -> Path:
    """Return the folder of a contest's seed: that of an ordinary run, which `generate --resume` can go on with.

    output: Path of the contest.
    seed: int.
    """
    return output / "seeds" / str(seed)


class Drafts:
    """The drafts of one contest, with one teacher for all.

    config: GenerateConfig of the run that was asked for.
    teacher: RunTeacher.
    output: Path of the contest.
    start: Start, the shape from which all begin; None: from nothing.
    course: Course, which is told how far they are.
    report: told of pictures and meshes of drafts.
    control: asked between steps.
    """

    def __init__(
        self,
        config: GenerateConfig,
        teacher: RunTeacher,
        output: Path,
        start: Start | None,
        course: Course,
        report: Report,
        control: Control,
    ) -> None:
        self._config, self._teacher, self._output, self._start = config, teacher, output, start
        self._course, self._report, self._control = course, report, control
        self._runtime: Choice | None = None

    def train(self, seed: int, since: int, until: int) -> VolumeTraining:
        """Return a draft's training at a step; it goes on from where it was left, in this process or an earlier one.

        seed: int.
        since: int, training step at which the course has it.
        until: int, training step.
        Raises as `Session.run`.
        """
        session = self._session(seed)
        heard = self._course.of_draft(since)
        session.report = heard
        place = None if self._start is None else self._start.place
        session.snapshot = Previews(seed_folder(self._output, seed) / "previews", heard, place)
        training = session.run(until)
        assert isinstance(training, VolumeTraining)
        return training

    def show(self, seed: int, training: VolumeTraining) -> None:
        """Write a draft's pictures, and report its thumbnail by the name 'seed-N'.

        seed: int.
        training: VolumeTraining of the draft.
        Raises InputError where they cannot be written.
        """
        cameras = preview_cameras(training)
        first, rest = cameras.rows(slice(0, 1)), cameras.rows(slice(1, None))
        large = png(training.view(first, THUMBNAIL_PIXELS, background=BACKGROUND, shading="lambertian").colour[0])
        row = training.view(rest, _VIEW_PIXELS, background=BACKGROUND, shading="lambertian").colour
        folder = seed_folder(self._output, seed)
        try:
            write_atomically(folder / THUMBNAIL, large)
            write_atomically(folder / VIEWS, png(torch.cat(list(row), dim=1)))
        except OSError as error:
            raise output_error(folder, error) from error
        self._report(Preview(name=f"seed-{seed}", step=training.step, png=large))

    def keep(self, seed: int, step: int) -> bool:
        """Make the mesh of a draft that stops, and report it. Returns whether it has a surface.

        seed: int.
        step: int, training step at which it stopped.
        Raises InputError where it cannot be written, Cancelled.
        """
        training = self.train(seed, step, step)
        reference = reference_views(training, self._config.camera, _REFERENCE_VIEWS, _REFERENCE_PIXELS)
        try:
            mesh, _ = build_mesh(*training.frozen(), reference, draft_mesh(self._config.mesh), self._asked)
        except RunError:
            return False
        path = seed_folder(self._output, seed) / MESH
        try:
            if self._start is None:
                write_glb(mesh, path, name=self._config.prompt)
            else:
                write_glb(self._start.placed(mesh), path, name=self._config.prompt, stand=False)
            self._report(DraftMesh(seed=seed, step=training.step, glb=path.read_bytes()))
        except OSError as error:
            raise output_error(path, error) from error
        return True

    def _asked(self, _stage: Stage, _share: float) -> None:
        if self._control() == "cancel":
            raise cancelled("Stopped between two drafts.")

    def _session(self, seed: int) -> Session:
        teacher, folder = self._teacher, seed_folder(self._output, seed)
        config = replace(self._config, seed=seed)
        device = teacher.places.field
        lock = None if self._start is None else self._start.lock(device)
        teacher.distillation.restart(config.guidance, seed)
        session = Session(
            config=config,
            distillation=teacher.distillation,
            device=device,
            places=teacher.places,
            folder=folder / "checkpoint",
            report=self._report,
            control=self._control,
            seconds_after=0.0,
            snapshot=lambda training: None,
            model=teacher.weights,
            fitted=replace(teacher.fitted, seed=seed),
            step_down=teacher.step_down(self._report),
            subject="" if self._start is None else self._start.digest,
            new_training=VolumeTraining if self._start is None else functools.partial(VolumeTraining, lock=lock),
        )
        resumed = (folder / "checkpoint" / INDEX).is_file()
        if resumed:
            session.resume()
        if self._runtime is None:
            trial = StepTrial(teacher.fitted, teacher.distillation, device)
            self._runtime = teacher.settle_runtime(
                alone=True,
                resumed=resumed,
                recorded=session.denoiser,
                step_seconds=trial.seconds if may_overlap(teacher.fitted) else None,
                report=self._course.of_draft(0),
            )
        session.denoiser = self._runtime
        return session


def draft_mesh(asked: MeshConfig) -> MeshConfig:
    """Return the settings of a draft's mesh: as asked, and no finer than a draft needs.

    asked: MeshConfig of the run.
    """
    return replace(asked, **{name: min(getattr(asked, name), most) for name, most in _DRAFT.items()})  # type: ignore[arg-type]
