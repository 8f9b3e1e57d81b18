"""Which timesteps a step of score distillation looks at: a range that falls while training goes on."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dreamfusion_engine.config.stages import GuidanceConfig


def annealed_share(progress: float, config: GuidanceConfig) -> float:
    """How far the range of timesteps has moved from its start (0) to its end (1), which it reaches at `anneal_until`.

    With q = min(1, progress / anneal_until): linear q; sqrt sqrt(q), fast at first (Zhu & Zhuang 2023, HiFA, arXiv
    2305.18766); step 0, and 1 from q = 1 on (Wang 2023, arXiv 2305.16213: two stages). progress: share of training
    done, in [0, 1].
    """
    share = min(max(progress / config.anneal_until, 0.0), 1.0)
    if config.annealing == "sqrt":
        return math.sqrt(share)
    if config.annealing == "step":
        return float(share >= 1.0)
    return share


def timestep_range(progress: float, config: GuidanceConfig) -> tuple[float, float]:
    """(t_min, t_max) as fractions of T: their start values moved towards their end values by `annealed_share`.

    progress: share of training done, in [0, 1].
    """
    share = annealed_share(progress, config)
    low, high = ((1.0 - share) * start + share * end for start, end in (config.t_min, config.t_max))
    return low, high


def sample_timesteps(count: int, low: float, high: float, total: int, generator: torch.Generator) -> Tensor:
    """Timesteps int64[count], on the generator's device: uniform in [low T, high T), one in each `count`-th of it.

    Each timestep is as likely as in independent draws, in the mean over the views; the parts lower the variance of a
    step. low, high: fractions of T in [0, 1]; total: T.
    """
    part = torch.arange(count, device=generator.device, dtype=torch.float32)
    place = (part + torch.rand(count, generator=generator, device=generator.device)) / count
    return ((low + (high - low) * place) * total).long().clamp(0, total - 1)
