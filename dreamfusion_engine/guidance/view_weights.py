"""The weight of each named view for a camera: one view alone, or neighbours mixed by angle.

Axis letters: B views, V = 4 named views in the order of `card.VIEWS` (front, side, back, overhead), H = 8 headings in
the order of `card.HEADINGS`, E elevations times A azimuths of exact cameras. Angles are radians; azimuth 0 is the
front, elevation 0 the horizon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamfusion_engine.models.teacher import Conditioning
from dreamfusion_engine.models.views import HEADINGS, OVERHEAD_ABOVE, VIEWS, view_of

OVERHEAD_BLEND = math.radians(15.0)  # either side of OVERHEAD_ABOVE: a camera there is half overhead, half not


def nearest_view_weights(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Return weights float32[B, V]: 1 for the named view of each camera (`card.view_of`), 0 for the others.

    azimuth, elevation: float32[B], radians.
    """
    views = [VIEWS.index(view_of(a, e)) for a, e in zip(azimuth.tolist(), elevation.tolist(), strict=True)]
    return F.one_hot(torch.tensor(views), len(VIEWS)).float().to(azimuth.device)


def interpolated_view_weights(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Return weights float32[B, V], not negative, of sum 1: linear in azimuth between views, overhead by elevation.

    With a = |azimuth| in [0, pi]: front max(0, 1 - 2 a / pi), back max(0, 2 a / pi - 1), side the rest. Overhead is 0
    up to 45 degrees of elevation, 1 from 75 degrees on, linear between; the other views share the rest.

    azimuth: float32[B], radians, any number of turns.
    elevation: float32[B], radians.
    Source: Armandpour 2023, arXiv 2304.04968, which interpolates embeddings this way.
    """
    above = overhead_share(elevation)
    turn = side_on_turn(azimuth)
    front, back = (1.0 - turn).clamp(min=0.0), (turn - 1.0).clamp(min=0.0)
    around = torch.stack([front, 1.0 - front - back, back, torch.zeros_like(turn)], dim=1)
    over = F.one_hot(torch.tensor([3], device=azimuth.device), len(VIEWS)).float()
    return (1.0 - above)[:, None] * around + above[:, None] * over


def nearest_heading_weights(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Return weights float32[B, 2 H]: 1 for the nearest heading (`card.heading_of`), in the second half where overhead.

    azimuth, elevation: float32[B], radians.
    """
    return _around_or_above(_nearest_sector(azimuth, len(HEADINGS)), (elevation > OVERHEAD_ABOVE).float())


def interpolated_heading_weights(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Return weights float32[B, 2 H], not negative, of sum 1: linear in azimuth between the two nearest headings.

    The second half is for overhead cameras; its share is `overhead_share`.

    azimuth, elevation: float32[B], radians.
    """
    return _around_or_above(_mixed_sectors(azimuth, len(HEADINGS)), overhead_share(elevation))


def nearest_camera_weights(azimuth: Tensor, elevation: Tensor, azimuths: int, elevations: Sequence[float]) -> Tensor:
    """Return weights float32[B, E A]: 1 for the nearest exact camera. Cameras of equal elevation are consecutive.

    azimuth, elevation: float32[B], radians.
    azimuths: int, A, evenly spaced from the front on.
    elevations: E floats, radians.
    """
    rungs = torch.tensor(elevations, device=elevation.device)
    height = F.one_hot((elevation[:, None] - rungs).abs().argmin(1), len(elevations)).float()
    return (height[:, :, None] * _nearest_sector(azimuth, azimuths)[:, None, :]).flatten(1)


def interpolated_camera_weights(
    azimuth: Tensor, elevation: Tensor, azimuths: int, elevations: Sequence[float]
) -> Tensor:
    """Return weights float32[B, E A], not negative, of sum 1: linear in azimuth and elevation between the nearest four.

    Beyond the lowest and the highest elevation, that elevation counts.

    azimuth, elevation: float32[B], radians.
    azimuths: int, A, evenly spaced from the front on.
    elevations: E floats, radians, rising; at least two.
    """
    rungs = torch.tensor(elevations, device=elevation.device)
    within = elevation.clamp(rungs[0], rungs[-1])
    below = (torch.searchsorted(rungs, within, right=True) - 1).clamp(0, len(elevations) - 2)
    share = ((within - rungs[below]) / (rungs[below + 1] - rungs[below]))[:, None]
    low, high = (F.one_hot(below + i, len(elevations)).float() for i in (0, 1))
    height = (1.0 - share) * low + share * high
    return (height[:, :, None] * _mixed_sectors(azimuth, azimuths)[:, None, :]).flatten(1)


def _sectors(azimuth: Tensor, count: int) -> Tensor:
    """Azimuths in steps of 1 / count of a turn, float32[B] in [0, count]."""
    return torch.remainder(azimuth / (2.0 * math.pi), 1.0) * count


def _nearest_sector(azimuth: Tensor, count: int) -> Tensor:
    """Weights float32[B, count]: 1 for the sector around each azimuth; the first is centred on the front."""
    return F.one_hot((_sectors(azimuth, count) + 0.5).floor().long() % count, count).float()


def _mixed_sectors(azimuth: Tensor, count: int) -> Tensor:
    """Weights float32[B, count], of sum 1: linear between the two sectors' centres either side."""
    sectors = _sectors(azimuth, count)
    before, share = sectors.floor().long(), (sectors - sectors.floor())[:, None]
    first, second = (F.one_hot((before + i) % count, count).float() for i in (0, 1))
    return (1.0 - share) * first + share * second


def _around_or_above(around: Tensor, above: Tensor) -> Tensor:
    return torch.cat([(1.0 - above)[:, None] * around, above[:, None] * around], dim=1)


def side_on_turn(azimuth: Tensor) -> Tensor:
    """Return the turn of each camera from the front, float32[B] in [0, 2]: 0 front, 1 exactly side on, 2 back.

    azimuth: float32[B], radians.
    """
    full = 2.0 * math.pi
    return torch.remainder(azimuth + math.pi, full).sub(math.pi).abs() * (2.0 / math.pi)


def overhead_share(elevation: Tensor) -> Tensor:
    """Return how much each camera counts as overhead, float32[B] in [0, 1]; one half at OVERHEAD_ABOVE.

    elevation: float32[B], radians.
    """
    return ((elevation - OVERHEAD_ABOVE) / (2.0 * OVERHEAD_BLEND) + 0.5).clamp(0.0, 1.0)


def mixed(views: Conditioning, weights: Tensor) -> Conditioning:
    """Return the weighted sum of rows, sum_p w_bp c_p, B rows.

    A token counts in a sum where it counts in any row of positive weight. A weight of 1 beside zeros gives that row,
    bit for bit.

    views: Conditioning, P rows.
    weights: float32[B, P].
    """
    rows = {
        name: torch.einsum("bp,p...->b...", weights.to(value.dtype), value)
        for name, value in views.tensors().items()
        if name != "mask"
    }
    if views.mask is not None:
        rows["mask"] = ((weights > 0.0).float() @ views.mask.float()) > 0.0
    return Conditioning.from_tensors(rows)
