"""The second stage of `generate`: another model paints the shape that the first one made.

The first model was let go before, so that a run takes the memory of the larger of the two, not their sum.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dreamfusion_engine.config.presets import to_json
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.config.texture_stage import texture_config
from dreamfusion_engine.errors import InputError
from dreamfusion_engine.events import Control, MeshPreview, Note, Report
from dreamfusion_engine.machine.device import release_memory, trim_heap
from dreamfusion_engine.machine.places import Places
from dreamfusion_engine.mesh.field_queries import query_albedo
from dreamfusion_engine.mesh.preview import MOST_TRIANGLES
from dreamfusion_engine.mesh.textured import TexturedMesh
from dreamfusion_engine.models.adapters.files import AdapterFiles
from dreamfusion_engine.models.pipeline_folder import PipelineFolder, model_facts
from dreamfusion_engine.models.sizes import read_sizes
from dreamfusion_engine.optimize.health import Verdict
from dreamfusion_engine.optimize.previews import ViewPreviews
from dreamfusion_engine.optimize.session import Session
from dreamfusion_engine.optimize.training import Training
from dreamfusion_engine.paint.bake import PaintedPart, bake
from dreamfusion_engine.paint.canvas import Canvas, DeviceCanvas
from dreamfusion_engine.paint.render import SurfaceRenderer
from dreamfusion_engine.paint.training import SurfaceTraining
from dreamfusion_engine.refinement.previews import Place, fewer_triangles
from dreamfusion_engine.refinement.surface import surface_of
from dreamfusion_engine.run.model import open_run_model
from dreamfusion_engine.run.refinement import digest
from dreamfusion_engine.run.report import places_report, stopped_late
from dreamfusion_engine.run.stage_clock import StageClock
from dreamfusion_engine.run.teacher import load_run_teacher
from dreamfusion_engine.speed.device_speed import Speed
from dreamfusion_engine.speed.run_time import texturing_seconds

CHECKPOINT = "checkpoint-texture"
PREVIEWS = "previews-texture"
PAINTING = "The shape stands. Now {} paints its texture, in {:,} steps."
SKIPPED = "You asked to finish, so {} does not paint: the texture is the first model's."
SAMPLES = 2  # along a pixel's side in training, as the command `texture` has it
_SECONDS_AFTER = 10.0  # of texture and pictures on two cores
# The shape is there: the stage cannot make it empty, flat or two-faced.
_WATCHED: tuple[Verdict, ...] = ("non_finite",)


@dataclass(frozen=True, kw_only=True)
class TextureStage:
    """The second stage of a run, its model checked and not loaded.

    config: GenerateConfig of the stage, from `config.texture_stage.texture_config`.
    pipeline, adapters: of its model.
    """

    config: GenerateConfig
    pipeline: PipelineFolder
    adapters: AdapterFiles

    @property
    def steps(self) -> int:
        """Steps of painting."""
        return self.config.optimize.steps

    def seconds(self, speed: Speed) -> float:
        """Return the seconds of the stage, as estimated; 0: unknown.

        speed: Speed of the places.
        """
        return texturing_seconds(read_sizes(self.pipeline.path), self.config, speed)

    def paint(
        self,
        mesh: TexturedMesh,
        places: Places,
        output: Path,
        *,
        report: Report,
        control: Control,
        resume: bool,
        place: Place | None = None,
    ) -> tuple[TexturedMesh, dict[str, Any]]:
        """Return the mesh with the texture that the stage's model gives it, and what result.json says of that.

        Vertices, triangles, normals and UVs stay bit for bit, and so do the maps besides the base colour.

        mesh: TexturedMesh of the first stage.
        places: Places of the run.
        output: Path of the run.
        report, control: of the run.
        resume: bool, whether to go on from the stage's checkpoint, if it has one.
        place: gives the mesh's vertices where the object will stand; None: where the mesh is.
        Raises as `Session.run`.
        """
        release_memory()  # the first model is gone
        trim_heap()
        clock, device = StageClock(report), places.field
        report(Note(code="run.texturing", text=PAINTING.format(_name(self.config.model), self.steps)))
        clock.enter("load", device)
        canvas = surface_of(mesh).canvas
        teacher = load_run_teacher(self.config, self.pipeline, self.adapters, places, report, later=None, moving=0)

        def begun() -> Session:
            return Session(
                config=self.config,
                distillation=teacher.distillation,
                device=device,
                places=places,
                folder=output / CHECKPOINT,
                report=report,
                control=control,
                seconds_after=_SECONDS_AFTER,
                snapshot=TexturePreviews(mesh, canvas, output / PREVIEWS, report, place),
                model=teacher.weights,
                subject=digest(mesh),
                fitted=teacher.fitted,
                step_down=teacher.step_down(report),
                new_training=functools.partial(
                    SurfaceTraining, SurfaceRenderer(DeviceCanvas.of(canvas, device), SAMPLES)
                ),
                watched=_WATCHED,
            )

        session, resumed = begun(), False
        if resume and (output / CHECKPOINT).is_dir():
            try:
                session.resume()
                resumed = True
            except InputError:  # of an earlier run in this folder, of other settings, or damaged
                session = begun()
        session.denoiser = teacher.settle_runtime(
            alone=True, resumed=resumed, recorded=session.denoiser, step_seconds=None, report=report
        )
        clock.enter("train", device)
        training = session.run()
        assert isinstance(training, SurfaceTraining)

        def advance(share: float) -> None:
            if control() == "cancel":
                raise stopped_late(output, whole_mesh=False)
            clock.share("bake", share, device)

        (painted,) = bake(
            canvas,
            training.colours,
            self.config.camera,
            padding=self.config.mesh.padding,
            device=device,
            advance=advance,
        )
        return dataclasses.replace(mesh, texture=painted.texture), self._content(session, clock, places, painted)

    def _content(self, session: Session, clock: StageClock, places: Places, painted: PaintedPart) -> dict[str, Any]:
        return {
            "model": self.config.model,
            "recipe": self.config.recipe,
            "config": to_json(self.config),
            "steps": session.training.step,
            "steps_per_second": round(session.steps_taken / session.seconds, 3) if session.seconds else None,
            "denoiser": session.denoiser.to_json() if session.denoiser is not None else None,
            "weights": session.model,
            "places": places_report(session, places),
            "seconds": {**clock.finished(), "train_all_sessions": round(session.seconds, 2)},
            "memory": session.memory_report(),
            "health": session.health_report(),
            "unseen": round(painted.unseen, 4),
            "seam": round(painted.seam, 3),
        }


def texture_stage(config: GenerateConfig, report: Report) -> TextureStage | None:
    """Return the second stage of a run; None where it has none. Nothing is loaded.

    config: GenerateConfig of the run.
    report: told of notes and of a single file's conversion.
    Raises InputError or SetupError for a model that cannot paint after the prompt.
    """
    if not config.texture.model:
        return None
    if not config.texture.recipe:  # a request has it; a script may come here without
        recipe = model_facts(config.texture.model, config.texture.base).recipe
        config = dataclasses.replace(config, texture=dataclasses.replace(config.texture, recipe=recipe))
    second = texture_config(config)
    pipeline, adapters = open_run_model(second, report)
    return TextureStage(config=second, pipeline=pipeline, adapters=adapters)


def skipped(config: GenerateConfig) -> Note:
    """Return what is told where the stage is left out, because the run was asked to finish.

    config: GenerateConfig of the run.
    """
    return Note(code="run.not_texturing", text=SKIPPED.format(_name(config.texture.model)))


class TexturePreviews(ViewPreviews):
    """Previews of the stage: the views, and the mesh with a colour at every vertex.

    mesh: TexturedMesh of the first stage.
    canvas: Canvas of it.
    folder, report: as for `ViewPreviews`.
    place: as for `TextureStage.paint`.
    """

    def __init__(
        self, mesh: TexturedMesh, canvas: Canvas, folder: Path, report: Report, place: Place | None = None
    ) -> None:
        super().__init__(folder, report)
        vertices = (mesh.vertices if place is None else place(mesh.vertices)).astype(np.float32)
        self._points, self._triangles = canvas.vertices, mesh.triangles
        if len(mesh.triangles) > MOST_TRIANGLES:
            vertices, self._triangles, kept = fewer_triangles(vertices, mesh.triangles)
            self._points = canvas.vertices[kept]
        self._vertices = vertices

    @torch.no_grad()
    def _show_more(self, training: Training) -> None:
        assert isinstance(training, SurfaceTraining)
        colours = query_albedo(training.colours, self._points, training.device)
        self._report(
            MeshPreview(
                step=training.step,
                vertices=self._vertices.astype("<f4").tobytes(),
                triangles=self._triangles.astype("<i4").tobytes(),
                colours=np.rint(colours * 255.0).astype(np.uint8).tobytes(),
            )
        )


def _name(model: str) -> str:
    """What a model is called in a sentence: a folder's or a file's name, a hub id, 'starter'."""
    return Path(model).name if Path(model).exists() else model
