"""The model of a run, opened and checked before anything of it is loaded."""

from __future__ import annotations

import hashlib
import json

from dreamfusion_engine.config.recipes import RECIPES
from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.models.adapters.files import AdapterFiles, read_adapters
from dreamfusion_engine.models.adapters.fit import check_adapters
from dreamfusion_engine.models.adapters.learned_word import unsaid
from dreamfusion_engine.models.family import FAMILIES
from dreamfusion_engine.models.few_step_models import few_steps
from dreamfusion_engine.models.pipeline_folder import PipelineFolder, open_pipeline
from dreamfusion_engine.models.prompt_check import check_prompts
from dreamfusion_engine.models.single_file.convert import ready_model

EXPERIMENTAL = (
    "{} is experimental as a teacher: no public recipe makes objects with it reliably. Stable Diffusion 1.5 is safer."
)


def open_run_model(config: GenerateConfig, report: Report) -> tuple[PipelineFolder, AdapterFiles]:
    """Return the model's checked folder and its adapters, and tell what the artist should know of them.

    config: GenerateConfig of the run.
    report: told of notes and of a single file's conversion.
    Raises InputError or SetupError for a model, an adapter or a prompt that it cannot have.
    """
    pipeline = open_pipeline(ready_model(config.model, config.base, report))
    check_prompts(config, pipeline.card)
    adapters = read_adapters(config.adapters)
    check_adapters(adapters, pipeline.family, pipeline)
    silent = unsaid(adapters.words, [config.prompt, config.negative, *vars(config.prompts).values()])
    if silent:
        report(Note(code="input.word_unused", text=f"No prompt says {', '.join(silent)}, which then changes nothing."))
    doubt = few_steps(pipeline.path, FAMILIES[pipeline.family].denoiser)
    if doubt:
        report(Note(code="model.few_steps", text=doubt))
    if RECIPES[config.recipe].experimental:
        report(Note(code="model.experimental", text=EXPERIMENTAL.format(RECIPES[config.recipe].title)))
    return pipeline, adapters


def weights_digest(pipeline: PipelineFolder, changes: str = "") -> str:
    """Return the SHA-256 over the checksums that the model's card lists, hex; '' for a model without a card.

    pipeline: PipelineFolder of the model.
    changes: str, digest of the adapters, which is part of it where it is not ''.
    """
    files = sorted(pipeline.card.files.items())
    own = hashlib.sha256(json.dumps(files).encode()).hexdigest() if files else ""
    return hashlib.sha256(f"{own} {changes}".encode()).hexdigest() if changes else own
