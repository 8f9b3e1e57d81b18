"""The timesteps that a step of score distillation uses: a range that falls while training goes on."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GuidanceConfig


def annealed_share(progress: float, config: GuidanceConfig) -> float:
    """Return how far the range of timesteps has moved from its start (0) to its end (1).

    With q = min(1, progress / anneal_until), 'linear' is q; 'sqrt' is sqrt(q), fast at first; 'step' is 0, and 1 from
    q = 1 on.

    progress: float in [0, 1], share of training done.
    config: GuidanceConfig.
    Source: sqrt: Zhu & Zhuang 2023, HiFA, arXiv 2305.18766. Step: Wang 2023, arXiv 2305.16213, two stages.
    """
    share = min(max(progress / config.anneal_until, 0.0), 1.0)
    if config.annealing == "sqrt":
        return math.sqrt(share)
    if config.annealing == "step":
        return float(share >= 1.0)
    return share


def timestep_range(progress: float, config: GuidanceConfig) -> tuple[float, float]:
    """Return (t_min, t_max), shares of T: their start values moved towards their end values by `annealed_share`.

    progress: float in [0, 1], share of training done.
    config: GuidanceConfig.
    """
    share = annealed_share(progress, config)
    low, high = ((1.0 - share) * start + share * end for start, end in (config.t_min, config.t_max))
    return low, high


def sample_timesteps(count: int, low: float, high: float, total: int, generator: torch.Generator) -> Tensor:
    """Sample timesteps for a step, int64[count] on the generator's device, one for each view.

    The range [low T, high T) is cut into `count` equal parts, and each part gives one timestep, uniformly. Over all
    views each timestep is as likely as in independent draws; the parts lower the variance of a step.

    count: int, number of views B.
    low, high: float in [0, 1], ends of the range, shares of T.
    total: int, T.
    generator: source of the random numbers.
    """
    part = torch.arange(count, device=generator.device, dtype=torch.float32)
    place = (part + torch.rand(count, generator=generator, device=generator.device)) / count
    return ((low + (high - low) * place) * total).long().clamp(0, total - 1)
