"""What a run of a batch takes of main memory and of a card, by the engine's own estimate."""

from __future__ import annotations

from dataclasses import dataclass

from dreamfusion_engine.config.stages import GenerateConfig
from dreamfusion_engine.config.texture_stage import texture_config
from dreamfusion_engine.memory.estimate import estimate
from dreamfusion_engine.models.pipeline_folder import locate_model, single_file
from dreamfusion_engine.models.single_file.read import known_base
from dreamfusion_engine.models.sizes import ModelSizes, read_sizes


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Peak memory of a run.

    main: int, bytes of main memory where it computes on a CPU.
    card: int, bytes of a card where it computes there.
    """

    main: int
    card: int


def needs_of(config: GenerateConfig) -> Needs:
    """Return what a run takes at its peak: that of the larger of its stages. Nothing is loaded.

    config: GenerateConfig of a run whose models have been found good.
    Raises as `locate_model`.
    """
    stages = [config, texture_config(config)] if config.texture.model else [config]
    sizes = [_sizes(stage) for stage in stages]
    main, card = (
        max(estimate(each, stage, device).total for each, stage in zip(sizes, stages, strict=True))
        for device in ("cpu", "cuda")
    )
    return Needs(main=main, card=card)


def _sizes(config: GenerateConfig) -> ModelSizes:
    file = single_file(config.model, config.base)
    if file is not None and not file.converted:
        return known_base(file.architecture, file.prediction).sizes
    return read_sizes(locate_model(config.model, config.base))
