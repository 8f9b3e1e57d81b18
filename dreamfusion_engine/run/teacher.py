"""The frozen teacher of a run, and the prompt in its language: the first step of every kind of run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.guidance.clip.comparison import ClipGuidance
from dreamfusion_engine.guidance.crossing import CrossingGuidance
from dreamfusion_engine.guidance.denoiser.choice import Choice
from dreamfusion_engine.guidance.denoiser.runtime import settle_runtime, torch_as_it_is
from dreamfusion_engine.guidance.distillation import ScoreDistillation
from dreamfusion_engine.guidance.embedding_cache import EmbeddingCache, model_digest
from dreamfusion_engine.guidance.guidance import Guidance
from dreamfusion_engine.guidance.picture_conditioning import PictureConditioning, TeacherPicture
from dreamfusion_engine.guidance.pictured_prompt import PicturedPrompt
from dreamfusion_engine.guidance.prompt_conditioning import Encode, PromptConditioning, ViewConditioning
from dreamfusion_engine.machine.backends import free_bytes, share_memory
from dreamfusion_engine.machine.cache_folder import cache_folder
from dreamfusion_engine.machine.device import compute_threads
from dreamfusion_engine.machine.places import Places, resolve_places
from dreamfusion_engine.machine.processes import ALONE, Processes
from dreamfusion_engine.memory.placement import Placement
from dreamfusion_engine.memory.step_down import StepDown
from dreamfusion_engine.models.adapters.files import AdapterFiles
from dreamfusion_engine.models.card import PromptCard
from dreamfusion_engine.models.families.adapter import Adapter
from dreamfusion_engine.models.families.clip import ClipTeacher
from dreamfusion_engine.models.families.image_dream import ImageDream
from dreamfusion_engine.models.families.zero123 import Zero123
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.load import Precision, load_clip, load_teacher
from dreamfusion_engine.models.pipeline_folder import PipelineFolder, locate_model
from dreamfusion_engine.models.sizes import ModelSizes, read_sizes
from dreamfusion_engine.models.told_picture import picture_needed
from dreamfusion_engine.run.memory_fit import fit_memory, with_vae_precision
from dreamfusion_engine.run.model import weights_digest
from dreamfusion_engine.speed.device_speed import Speed, measured_speed
from dreamfusion_engine.speed.run_time import estimate_text, estimated_seconds

TOLD_ABOVE = 600.0  # seconds that a run is estimated to take, from which the artist is told beforehand


@dataclass(frozen=True, kw_only=True)
class RunTeacher:
    """A teacher that is ready to judge renders for one prompt.

    places: Places of the run.
    config: GenerateConfig as asked for.
    fitted: GenerateConfig with what was changed to fit the memory.
    sizes: ModelSizes of the model.
    placement: Placement of its networks.
    teacher: Adapter, or ClipTeacher, the frozen model.
    distillation: Guidance by it with the prompt, for a training where the field is.
    weights: str, digest of the model's weights and adapters; a checkpoint of other weights is refused.
    cache_key: str, under which measurements of this model are kept.
    speed: Speed of the places.
    moving: int or None, as for `memory.estimate.estimate`.
    """

    places: Places
    config: GenerateConfig
    fitted: GenerateConfig
    sizes: ModelSizes
    placement: Placement
    teacher: Adapter | ClipTeacher
    distillation: Guidance
    weights: str
    cache_key: str
    speed: Speed
    moving: int | None = None

    @property
    def changed(self) -> bool:
        """Whether settings were changed to fit the memory."""
        return self.fitted.memory != self.config.memory or self.fitted.optimize != self.config.optimize

    def step_down(self, report: Report) -> StepDown:
        """Return what the run can give up when memory runs out."""
        return StepDown(
            device=self.places.field,
            report=report,
            sizes=self.sizes,
            kind=self.places.kind,
            moving=self.moving,
            economise=self.placement.change,
        )

    def settle_runtime(
        self,
        *,
        alone: bool,
        resumed: bool,
        recorded: Choice | None,
        step_seconds: Callable[[bool], float] | None,
        report: Report,
    ) -> Choice:
        """Choose what runs the denoiser: `guidance.denoiser.runtime.settle_runtime` for this teacher.

        A teacher that compares runs in torch, because its gradients are needed.

        alone, resumed, recorded, step_seconds, report: as there.
        """
        distillation = self.distillation
        within = distillation.within if isinstance(distillation, CrossingGuidance) else distillation
        if isinstance(self.teacher, ClipTeacher) or not isinstance(within, ScoreDistillation):
            return torch_as_it_is(self.teacher.parts, "a model that compares pictures must give gradients")
        choice = settle_runtime(
            self.teacher,
            within,
            self.fitted,
            parameters=self.sizes.denoiser,
            model=self.cache_key,
            alone=alone,
            changed=self.changed,
            resumed=resumed,
            recorded=recorded,
            step_seconds=step_seconds,
            report=report,
        )
        # While a card judges one half of the views, the processor renders the other.
        beside = self.places.teacher.type != "cpu" and self.places.field.type == "cpu" and step_seconds is not None
        if beside and self.fitted.memory.overlap == "auto":
            choice = dataclasses.replace(choice, overlap=True)
        return choice


def run_places(config: GenerateConfig, processes: Processes = ALONE) -> Places:
    """Return the places of a run's process.

    config: GenerateConfig of the run.
    processes: Processes, the processes that train together.
    Raises InputError or SetupError for a device that is not there.
    """
    return processes.places(resolve_places(config.device))


def load_run_teacher(
    config: GenerateConfig,
    pipeline: PipelineFolder,
    adapters: AdapterFiles,
    places: Places,
    report: Report,
    processes: Processes = ALONE,
    picture: TeacherPicture | None = None,
    later: float | None = 0.0,
    moving: int | None = None,
) -> RunTeacher:
    """Load the frozen teacher within the memory that is free, and encode the prompt for every view and shading.

    config: GenerateConfig of the run.
    pipeline, adapters: from `run.model.open_run_model`.
    places: Places of the run.
    report: told of notes.
    processes: Processes, the processes that train together.
    picture: TeacherPicture, for a teacher that is told one; None for all others.
    later: float, estimated seconds of another model's stage that follows, which are told with this one's; None: this
        is that stage, and the time was told.
    moving: int or None, as for `memory.estimate.estimate`.
    Raises SetupError for a model that cannot be loaded; InputError for one that is told a picture, without one.
    """
    if places.unused and later is not None:
        report(Note(code="run.card_unused", text=f"This run does not use {places.unused}."))
    changes = adapters.digest()
    torch.set_num_threads(compute_threads())
    torch.use_deterministic_algorithms(places.teacher.type == places.field.type == "cpu")
    device = places.teacher
    sizes = read_sizes(pipeline.path)
    fitted = fit_memory(
        with_vae_precision(config, device),
        sizes,
        processes.agree(free_bytes(device)),
        places.kind,
        report,
        0 if share_memory(places.kind) else processes.agree(free_bytes(places.field)),
        moving,
    )
    speed = measured_speed(device, places.field)
    whole = estimated_seconds(sizes, fitted, speed)
    if later is not None and whole and whole + later > TOLD_ABOVE:
        report(Note(code="run.estimate", text=estimate_text(config, whole + later)))
    placement = Placement(fitted.memory, device, locate_model)
    precision: Precision = fitted.memory.precision
    if precision == "auto" and device.type == "cpu" and not sizes.compares:
        precision = "bfloat16"
    cache = EmbeddingCache(cache_folder() / "embeddings", report)
    cache_key = model_digest(pipeline.path, precision=precision, device=device) + changes

    def kept(encode: Encode) -> Encode:
        return lambda texts: cache.encode(encode, cache_key, texts, device)

    teacher: Adapter | ClipTeacher
    distillation: Guidance
    if sizes.compares:
        clip = teacher = load_clip(pipeline, device, precision, placement.place)
        distillation = ClipGuidance(
            clip,
            config.prompt,
            pipeline.card,
            config.guidance,
            config.clip,
            texts=config.prompts,
            encode=kept(clip.encode_prompts),
        )
    else:
        denoiser = teacher = load_teacher(
            pipeline,
            device,
            precision=precision,
            place=placement.place,
            adapters=adapters,
            vae_precision=fitted.memory.vae_precision,
        )
        distillation = ScoreDistillation(
            denoiser,
            config.prompt,
            config.negative,
            pipeline.card,
            config.guidance,
            texts=config.prompts,
            score=config.score,
            seed=config.seed,
            encode=kept(denoiser.encode_prompts),
            together=FAMILIES[pipeline.family].views_together,
            told=_told(denoiser, picture, config, pipeline.card, kept(denoiser.encode_prompts)),
        )
    if places.apart:
        distillation = CrossingGuidance(distillation, places.teacher, places.field)
    return RunTeacher(
        places=places,
        config=config,
        fitted=fitted,
        sizes=sizes,
        placement=placement,
        teacher=teacher,
        distillation=distillation,
        weights=weights_digest(pipeline, changes),
        cache_key=cache_key,
        speed=speed,
        moving=moving,
    )


def _told(
    teacher: Adapter, picture: TeacherPicture | None, config: GenerateConfig, card: PromptCard, encode: Encode
) -> ViewConditioning | None:
    """What a teacher is told that is told a picture, encoded; None for one that is told words alone."""
    if not isinstance(teacher, Zero123 | ImageDream):
        return None
    if picture is None:  # a request for a run is refused before; a script may come here
        raise picture_needed(teacher.parts.family)
    if isinstance(teacher, Zero123):
        return PictureConditioning(teacher, picture)
    words = PromptConditioning(
        encode, config.prompt, config.negative, card, config.guidance, config.prompts, tells_cameras=True
    )
    return PicturedPrompt(words, teacher.encode_picture(picture.image))
