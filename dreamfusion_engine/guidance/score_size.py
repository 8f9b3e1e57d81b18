"""The size of a score, so that a regulariser's weight means the same beside every teacher.

The loss of score distillation is a sum over the channels of x and a mean over its pixels and views. So its gradient at
one element of x is g / (B h w), whatever the size of the latents. Public recipes sum over pixels too; their weights
of regularisers are h w times ours. The size of g itself remains. The part of g that follows the prompt is

    w(t) w (e_c - e_u),  over C channels,

so a view's pull is about  C w E[w(t)] |e_c - e_u|.  The weights in the settings are given for C = 3, w = 7 and
w(t) = 1, those of the built-in model. For any other teacher they are multiplied by

    s = (C / 3) (w / 7) E[w(t)],

with E over the timesteps that are drawn at the time. The ratio of the score's pull to each regulariser's then depends
on the teacher through |e_c - e_u| alone. w is the guidance before it fades.
"""

from __future__ import annotations

from dreamfusion_engine.config.stages import Weighting
from dreamfusion_engine.guidance.scores.sds import score_weight
from dreamfusion_engine.models.noise import NoiseSchedule

REFERENCE_CHANNELS = 3
REFERENCE_SCALE = 7.0


def mean_weight(schedule: NoiseSchedule, low: float, high: float, weighting: Weighting) -> float:
    """Return E[w(t)] over timesteps uniform in [low T, high T), with T the usable timesteps.

    schedule: NoiseSchedule, on the host.
    low, high: float in [0, 1], ends of the range, shares of T.
    weighting: 'uniform', 'sigma_squared', 'alpha_sigma' or 'reconstruction'.
    """
    total = schedule.usable
    first = min(int(low * total), total - 1)
    rows = slice(first, max(int(high * total), first + 1))
    return float(score_weight(schedule.alpha[rows], schedule.sigma[rows], weighting).mean())


def score_size(scale: float, channels: int, weight: float) -> float:
    """s = (C / 3) (w / 7) E[w(t)], above 0.

    scale: float, guidance scale w; less than 1 counts as 1, because the prompt's own prediction still pulls.
    channels: int, C.
    weight: float, E[w(t)], from `mean_weight`.
    """
    return max(scale, 1.0) * channels * weight / (REFERENCE_SCALE * REFERENCE_CHANNELS)
