"""What a run of a batch takes of main memory and of a card, by the engine's own estimate."""

from __future__ import annotations

from dataclasses import dataclass

from dreamfusion_engine.config.stages import GenerateConfig
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
    """Return what a run takes at its peak. Nothing is loaded.

    config: GenerateConfig of a run whose model has been found good.
    Raises as `locate_model`.
    """
    sizes = _sizes(config)
    return Needs(main=estimate(sizes, config, "cpu").total, card=estimate(sizes, config, "cuda").total)


def _sizes(config: GenerateConfig) -> ModelSizes:
    file = single_file(config.model, config.base)
    if file is not None and not file.converted:
        return known_base(file.architecture, file.prediction).sizes
    return read_sizes(locate_model(config.model, config.base))
