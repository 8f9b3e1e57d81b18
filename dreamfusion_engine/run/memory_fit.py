"""What a run's settings become so that it fits the memory that is free."""

from __future__ import annotations

import dataclasses

import torch

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.events import Note, Report
from dreamfusion_engine.machine.backends import has_bfloat16
from dreamfusion_engine.memory.ladder import fit
from dreamfusion_engine.models.sizes import ModelSizes


def fit_memory(
    config: GenerateConfig,
    sizes: ModelSizes,
    free: int,
    kind: str,
    report: Report,
    free_field: int = 0,
    moving: int | None = None,
) -> GenerateConfig:
    """Return the configuration with what `memory.fit` changes so that `free` bytes are enough; the artist is told.

    config: GenerateConfig of the run.
    sizes: ModelSizes of the model.
    free: int, bytes, where the teacher is; 0 or less: not known.
    kind: str, of the run's places.
    report: told of the change.
    free_field: int, bytes, where the field is, if that is another memory; 0: not known, or the same.
    moving: int or None, as for `memory.estimate.estimate`.
    """
    if not config.memory.fit or free <= 0:
        return config
    chosen = fit(sizes, config, free, kind, free_field, moving)
    if chosen.savings or not chosen.fits:
        report(Note(code="memory.fit", text=chosen.describe(free)))
    return chosen.config


def with_vae_precision(config: GenerateConfig, device: torch.device) -> GenerateConfig:
    """Return the settings with what 'auto' is for a VAE on a card without bfloat16, whose memory is counted so.

    config: GenerateConfig of the run.
    device: torch.device of the teacher.
    """
    if config.memory.vae_precision != "auto" or device.type == "cpu" or has_bfloat16(device.type):
        return config
    return dataclasses.replace(config, memory=dataclasses.replace(config.memory, vae_precision="float32"))
