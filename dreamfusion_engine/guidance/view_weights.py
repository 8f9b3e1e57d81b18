"""How much each named view counts for a camera: one of them alone, or neighbours mixed by angle.

Axis letters: B views, V = 4 named views in the order of `prompts.VIEWS` (front, side, back, overhead), H = 8 headings
in the order of `prompts.HEADINGS`. Angles are radians; azimuth 0 is the front, elevation 0 the horizon.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamfusion_engine.guidance.prompts import HEADINGS, OVERHEAD_ABOVE, VIEWS, view_of
from dreamfusion_engine.guidance.teacher import Conditioning

OVERHEAD_BLEND = math.radians(15.0)  # either side of OVERHEAD_ABOVE: a camera there is half overhead, half not


def nearest_view_weights(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Weights float32[B, V] that are 1 for the named view of each camera (`prompts.view_of`) and 0 for the others.

    azimuth, elevation: float32[B], radians.
    """
    views = [VIEWS.index(view_of(a, e)) for a, e in zip(azimuth.tolist(), elevation.tolist(), strict=True)]
    return F.one_hot(torch.tensor(views), len(VIEWS)).float().to(azimuth.device)


def interpolated_view_weights(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Weights float32[B, V], not negative, of sum 1: linear in azimuth between neighbours, overhead by elevation.

    With a = |azimuth| in [0, pi]: front max(0, 1 - 2 a / pi), back max(0, 2 a / pi - 1), side the rest (Armandpour
    2023, arXiv 2304.04968, which interpolates embeddings so). Overhead is
    0 up to 45 degrees of elevation, 1 from 75 degrees on, linear between; the others share what it leaves.
    azimuth, elevation: float32[B], radians; azimuth any number of turns.
    """
    above = overhead_share(elevation)
    turn = side_on_turn(azimuth)
    front, back = (1.0 - turn).clamp(min=0.0), (turn - 1.0).clamp(min=0.0)
    around = torch.stack([front, 1.0 - front - back, back, torch.zeros_like(turn)], dim=1)
    over = F.one_hot(torch.tensor([3], device=azimuth.device), len(VIEWS)).float()
    return (1.0 - above)[:, None] * around + above[:, None] * over


def nearest_heading_weights(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Weights float32[B, 2 H]: 1 for the nearest heading (`prompts.heading_of`), in the second half where overhead.

    azimuth, elevation: float32[B], radians.
    """
    sector = (_sectors(azimuth) + 0.5).floor().long() % len(HEADINGS)
    return _around_or_above(F.one_hot(sector, len(HEADINGS)).float(), (elevation > OVERHEAD_ABOVE).float())


def interpolated_heading_weights(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Weights float32[B, 2 H], not negative, of sum 1: linear in azimuth between the two headings either side.

    The second half, overhead, has the share that `overhead_share` gives. azimuth, elevation: float32[B], radians.
    """
    sectors = _sectors(azimuth)
    before, share = sectors.floor().long(), (sectors - sectors.floor())[:, None]
    first, second = (F.one_hot((before + i) % len(HEADINGS), len(HEADINGS)).float() for i in (0, 1))
    return _around_or_above((1.0 - share) * first + share * second, overhead_share(elevation))


def _sectors(azimuth: Tensor) -> Tensor:
    """Azimuths in steps of a heading, float32[B] in [0, H]."""
    return torch.remainder(azimuth / (2.0 * math.pi), 1.0) * len(HEADINGS)


def _around_or_above(around: Tensor, above: Tensor) -> Tensor:
    return torch.cat([(1.0 - above)[:, None] * around, above[:, None] * around], dim=1)


def side_on_turn(azimuth: Tensor) -> Tensor:
    """How far a camera is turned from the front, float32[B] in [0, 2]: 0 front, 1 exactly side on, 2 back."""
    full = 2.0 * math.pi
    return torch.remainder(azimuth + math.pi, full).sub(math.pi).abs() * (2.0 / math.pi)


def overhead_share(elevation: Tensor) -> Tensor:
    """How much a camera counts as overhead, float32[B] in [0, 1]; one half at OVERHEAD_ABOVE."""
    return ((elevation - OVERHEAD_ABOVE) / (2.0 * OVERHEAD_BLEND) + 0.5).clamp(0.0, 1.0)


def mixed(views: Conditioning, weights: Tensor) -> Conditioning:
    """The weighted sum of rows: sum_v w_bv c_v, B rows. A token counts where it counts for a row of any weight.

    views: P rows. weights: float32[B, P]. A weight of 1 beside zeros gives that row, bit for bit.
    """
    rows = {
        name: torch.einsum("bp,p...->b...", weights.to(value.dtype), value)
        for name, value in views.tensors().items()
        if name != "mask"
    }
    if views.mask is not None:
        rows["mask"] = ((weights > 0.0).float() @ views.mask.float()) > 0.0
    return Conditioning.from_tensors(rows)
