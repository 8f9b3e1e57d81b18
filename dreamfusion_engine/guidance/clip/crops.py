"""Square crops of renders at places that tensors give, so that the host decides nothing."""

from __future__ import annotations

import torch
from torch import Tensor


def crop_size(size: int, share: float) -> int:
    """Return the pixels along a crop's side.

    size: int, pixels along the render's side.
    share: float in (0, 1], of the side.
    """
    return min(max(round(share * size), 1), size)


def cropped(pictures: Tensor, corners: Tensor, side: int) -> Tensor:
    """Return K crops of each picture, float32[B * K, C, side, side]; those of one picture follow one another.

    pictures: float32[B, C, H, H].
    corners: int64[B * K, 2], first row and first column of each crop.
    side: int, pixels.
    """
    count, channels, size, _ = pictures.shape
    each = pictures.repeat_interleave(len(corners) // count, 0)
    along = torch.arange(side, device=pictures.device)
    rows = (corners[:, :1] + along)[:, None, :, None].expand(-1, channels, -1, size)
    columns = (corners[:, 1:] + along)[:, None, None, :].expand(-1, channels, side, -1)
    return each.gather(2, rows).gather(3, columns)
