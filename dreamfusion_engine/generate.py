"""Make a textured mesh of a prompt: the whole method, step by step.

The command line, the server and any script with torch call `generate`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import time
from pathlib import Path
from typing import Any

import torch

from dreamfusion_engine.config.presets import origins_of, to_json
from dreamfusion_engine.config.recipes import RECIPES
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.errors import Cancelled
from dreamfusion_engine.events import Control, Note, Progress, Report, Result, Stage
from dreamfusion_engine.guidance.denoiser.runtime import settle_runtime
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.embedding_cache import EmbeddingCache, model_digest
from dreamfusion_engine.machine.atomic_file import write_atomically
from dreamfusion_engine.machine.cache_folder import cache_folder
from dreamfusion_engine.machine.device import (
    compute_threads,
    free_memory_bytes,
    has_bfloat16,
    peak_memory_mib,
    resolve_device,
)
from dreamfusion_engine.machine.disk import output_error
from dreamfusion_engine.machine.processes import Ranks, join, leave
from dreamfusion_engine.machine.run_folder import held
from dreamfusion_engine.memory.ladder import fit
from dreamfusion_engine.memory.placement import Placement
from dreamfusion_engine.memory.step_down import StepDown
from dreamfusion_engine.mesh.build import MeshReport, build_mesh
from dreamfusion_engine.mesh.export import write_glb
from dreamfusion_engine.mesh.pictures.sheet import write_turntable, write_views
from dreamfusion_engine.mesh.surface.silhouette import ReferenceViews
from dreamfusion_engine.models.adapters.files import check_adapters, read_adapters
from dreamfusion_engine.models.adapters.learned_word import unsaid
from dreamfusion_engine.models.card import check_prompts
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.few_step_models import few_steps
from dreamfusion_engine.models.load import Precision, load_teacher
from dreamfusion_engine.models.pipeline_folder import PipelineFolder, locate_model, open_pipeline
from dreamfusion_engine.models.single_file.convert import ready_model
from dreamfusion_engine.models.sizes import ModelSizes, read_sizes
from dreamfusion_engine.optimize.checkpoint import package_versions
from dreamfusion_engine.optimize.loop import Training
from dreamfusion_engine.optimize.overlap import may_overlap
from dreamfusion_engine.optimize.previews import Previews
from dreamfusion_engine.optimize.session import Session, cancelled
from dreamfusion_engine.optimize.step_trial import StepTrial
from dreamfusion_engine.scene.cameras import turntable_cameras
from dreamfusion_engine.speed.device_speed import learn_ratio, measured_speed
from dreamfusion_engine.speed.run_time import estimated_seconds, spoken, step_seconds

EXPERIMENTAL = (
    "{} is experimental as a teacher: no public recipe makes objects with it reliably. Stable Diffusion 1.5 is safer."
)
SIMPLE_UNWRAP = "The texture has more seams than usual, from the simple unwrap: {}."
REFERENCE_VIEWS = 8  # around the object, from 20 degrees above
REFERENCE_PIXELS = 192
LEARNT_ABOVE = 20  # steps of a run that say something of the next; the first ones compile
TOLD_ABOVE = 600.0  # seconds that a run is estimated to take, from which the artist is told beforehand
_SECONDS_AFTER = {"draft": 8.0, "standard": 14.0, "high": 40.0}  # of mesh and pictures on two cores, from result.json


def generate(
    config: GenerateConfig,
    output: Path,
    *,
    report: Report = lambda event: None,
    control: Control = lambda: "continue",
    resume: bool = False,
) -> Result:
    """Make the object of `config.prompt` and write it to the folder `output`.

    The same config on the same device, versions and threads gives the same mesh, bit for bit on a CPU (unless the
    unwrap runs into its time box). Of several processes (see `processes.Ranks`) the first writes; the others return a
    result without files when training ends.

    config: GenerateConfig, everything that decides the result.
    output: Path of the run.
    report: called with events.
    control: asked between steps whether to continue.
    resume: bool, whether to continue from the checkpoint in `output`.
    Raises InputError or SetupError before anything is written, also when another run holds `output`.
    Raises RunError when the run fails, Cancelled when it was stopped; the last checkpoint is kept.
    """
    ranks = join("cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu")
    if not ranks.first:  # it computes for the first, which alone speaks and writes
        return _generate(config, output, ranks, ignore, control, resume)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(output))
        except OSError as error:
            raise output_error(output, error) from error
        return _generate(config, output, ranks, report, control, resume)


def _generate(
    config: GenerateConfig, output: Path, ranks: Ranks, report: Report, control: Control, resume: bool
) -> Result:
    clock = StageClock(report)
    # 1. The frozen diffusion model, and the prompt in its language, from every side and in every shading.
    device = ranks.device(resolve_device(config.device))
    pipeline = open_pipeline(ready_model(config.model, config.base, report))
    check_prompts(config, pipeline.card)
    adapters = read_adapters(config.adapters)
    check_adapters(adapters, pipeline.family, pipeline)
    changes = adapters.digest()
    silent = unsaid(adapters.words, [config.prompt, config.negative, *vars(config.prompts).values()])
    if silent:
        report(Note(code="input.word_unused", text=f"No prompt says {', '.join(silent)}, which then changes nothing."))
    doubt = few_steps(pipeline.path, FAMILIES[pipeline.family].denoiser)
    if doubt:
        report(Note(code="model.few_steps", text=doubt))
    if RECIPES[config.recipe].experimental:
        report(Note(code="model.experimental", text=EXPERIMENTAL.format(RECIPES[config.recipe].title)))
    clock.enter("load", device)
    torch.set_num_threads(compute_threads())
    torch.use_deterministic_algorithms(device.type == "cpu")
    sizes = read_sizes(pipeline.path)
    fitted = fit_memory(
        _with_vae_precision(config, device), sizes, ranks.agree(free_memory_bytes(str(device))), device, report
    )
    speed = measured_speed(device)
    whole = estimated_seconds(sizes, fitted, speed)
    if whole > TOLD_ABOVE:
        report(Note(code="run.estimate", text=estimate_text(config, whole)))
    placement = Placement(fitted.memory, device, locate_model)
    precision: Precision = fitted.memory.precision
    if precision == "auto" and device.type == "cpu":
        precision = "bfloat16"
    teacher = load_teacher(
        pipeline,
        device,
        precision=precision,
        place=placement.place,
        adapters=adapters,
        vae_precision=fitted.memory.vae_precision,
    )
    cache = EmbeddingCache(cache_folder() / "embeddings", report)
    kept_for = model_digest(pipeline.path, precision=precision, device=device) + changes
    distillation = ScoreDistillation(
        teacher,
        config.prompt,
        config.negative,
        pipeline.card,
        config.guidance,
        texts=config.prompts,
        score=config.score,
        seed=config.seed,
        encode=lambda texts: cache.encode(teacher.encode_prompts, kept_for, texts, device),
    )
    # 2. A radiance field, optimized until the model likes what it sees from every side.
    session = Session(
        config=config,
        distillation=distillation,
        device=device,
        folder=output / "checkpoint",
        report=report,
        control=control,
        seconds_after=_SECONDS_AFTER.get(config.preset, 60.0),
        snapshot=Previews(output / "previews", report) if ranks.first else ignore,
        model=weights_digest(pipeline, changes),
        fitted=fitted,
        step_down=StepDown(device=device, report=report, sizes=sizes, economise=placement.change),
        ranks=ranks,
    )
    if resume:
        session.resume()
    session.denoiser = settle_runtime(
        teacher,
        distillation,
        fitted,
        parameters=sizes.denoiser,
        model=kept_for,
        alone=ranks.count == 1,
        changed=fitted.memory != config.memory or fitted.optimize != config.optimize,
        resumed=resume,
        recorded=session.denoiser,
        step_seconds=StepTrial(fitted, distillation, device).seconds if may_overlap(fitted) else None,
        report=report,
    )
    clock.enter("train", device)
    try:
        training = session.run()
    except Cancelled:  # in every process at the same step
        leave()
        raise
    leave()
    if ranks.count == 1 and session.training.step >= LEARNT_ABOVE and session.steps_taken:
        by_arithmetic = step_seconds(sizes, fitted, speed)
        learn_ratio(device.type, config.model, session.seconds / session.steps_taken, by_arithmetic)
    if not ranks.first:
        return Result(folder=str(output), files={}, report={})
    # 3. Density to a closed surface, to charts, to a texture.
    whole_mesh = False

    def advance(stage: Stage, share: float) -> None:
        if control() == "cancel":
            raise stopped_late(output, whole_mesh)
        clock.share(stage, share, device)

    mesh, mesh_report = build_mesh(*training.frozen(), reference_views(training), config.mesh, advance)
    if mesh_report.unwrap_trouble:
        report(Note(code="run.simple_unwrap", text=SIMPLE_UNWRAP.format(mesh_report.unwrap_trouble)))
    # 4. What people look at.
    advance("render", 0.0)
    files = {name: output / name for name in ("mesh.glb", "turntable.mp4", "views.png", "result.json")}
    try:
        write_glb(mesh, files["mesh.glb"], name=config.prompt)
        whole_mesh = True
        write_views(mesh, files["views.png"], config.camera, device)
        write_turntable(
            mesh,
            files["turntable.mp4"],
            config.camera,
            device,
            lambda share: advance("render", 0.2 + 0.8 * share),
        )
        content = result_content(config, session, mesh_report, clock, device)
        write_atomically(files["result.json"], (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise output_error(output, error) from error
    return Result(folder=str(output), files={name: str(path) for name, path in files.items()}, report=content)


def _with_vae_precision(config: GenerateConfig, device: torch.device) -> GenerateConfig:
    """The settings with what 'auto' is for a VAE on a card without bfloat16, so that its memory is counted as it is."""
    if config.memory.vae_precision != "auto" or device.type == "cpu" or has_bfloat16(device.type):
        return config
    return dataclasses.replace(config, memory=dataclasses.replace(config.memory, vae_precision="float32"))


def fit_memory(
    config: GenerateConfig, sizes: ModelSizes, free: int, device: torch.device, report: Report
) -> GenerateConfig:
    """The configuration with what `memory.fit` changes so that `free` bytes are enough; the artist is told."""
    if not config.memory.fit or free <= 0:
        return config
    chosen = fit(sizes, config, free, device.type)
    if chosen.savings or not chosen.fits:
        report(Note(code="memory.fit", text=chosen.describe(free)))
    return chosen.config


def estimate_text(config: GenerateConfig, seconds: float) -> str:
    """One sentence for the artist: how long the run will take, and of what that follows."""
    views = config.optimize.views
    what = f"{config.optimize.steps:,} steps of {views} {'views' if views > 1 else 'view'} with this model"
    return f"About {spoken(seconds)} on this machine ({what}; an estimate from its measured speed)."


def reference_views(training: Training) -> ReferenceViews:
    """The field's albedo renders that the mesh is held against."""
    cameras = turntable_cameras(
        REFERENCE_VIEWS, elevation=math.radians(20.0), config=training.config.camera, device=training.device
    )
    seen = training.view(cameras, REFERENCE_PIXELS)
    return ReferenceViews(cameras=cameras, colour=seen.colour, opacity=seen.opacity)


def result_content(
    config: GenerateConfig, session: Session, mesh_report: MeshReport, clock: StageClock, device: torch.device
) -> dict[str, Any]:
    """What result.json holds."""
    return {
        "prompt": config.prompt,
        "seed": config.seed,
        "model": config.model,
        "device": str(device),
        "config": to_json(config),
        "origins": origins_of(config),
        "versions": package_versions(),
        "steps": session.training.step,
        "steps_per_second": round(session.steps_taken / session.seconds, 3) if session.seconds else None,
        "threads": torch.get_num_threads(),
        "denoiser": session.denoiser.to_json() if session.denoiser is not None else None,
        "processes": session.ranks.count,
        "attempt": to_json(session.training.config),  # differs from config after a restart (see health)
        "weights": session.model,
        "seconds": {**clock.finished(), "train_all_sessions": round(session.seconds, 2)},
        "peak_memory_mib": round(peak_memory_mib(device)),
        "memory": session.memory_report(),
        "health": session.health_report(),
        "mesh": mesh_report.to_json(),
    }


def weights_digest(pipeline: PipelineFolder, changes: str = "") -> str:
    """SHA-256 over the checksums that the model's card lists, hex; '' for a model without a card.

    changes: digest of the adapters, which is part of it where it is not ''.
    """
    files = sorted(pipeline.card.files.items())
    own = hashlib.sha256(json.dumps(files).encode()).hexdigest() if files else ""
    return hashlib.sha256(f"{own} {changes}".encode()).hexdigest() if changes else own


def stopped_late(folder: Path, whole_mesh: bool) -> Cancelled:
    """The end of a run that was asked to stop after training. whole_mesh: whether mesh.glb has been written."""
    if not whole_mesh:
        return cancelled("Stopped after training, which is kept.")
    return cancelled("Stopped while pictures were taken.", f"You asked for it. The mesh is done: {folder / 'mesh.glb'}")


def ignore(event: object) -> None:
    """Report of a process that has nothing to say."""


class StageClock:
    """Seconds by stage, and a Progress event whenever a stage begins or moves on."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._seconds: dict[str, float] = {}
        self._stage: Stage | None = None
        self._since = time.monotonic()

    def enter(self, stage: Stage, device: torch.device) -> None:
        """Stop the running stage and start `stage`."""
        self.share(stage, 0.0, device)

    def share(self, stage: Stage, done: float, device: torch.device) -> None:
        """`stage` is running and this share of it, in [0, 1], is done."""
        if stage != self._stage:
            self._close()
            self._stage = stage
        if stage != "train":  # the session reports its own steps
            percent = round(100 * done)
            self._report(
                Progress(
                    stage=stage, step=percent, total=100, eta_s=None, rate=None, memory_mib=peak_memory_mib(device)
                )
            )

    def finished(self) -> dict[str, float]:
        """Seconds by stage so far, rounded."""
        self._close()
        return {stage: round(seconds, 2) for stage, seconds in self._seconds.items()}

    def _close(self) -> None:
        now = time.monotonic()
        if self._stage is not None:
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._since
        self._since = now
