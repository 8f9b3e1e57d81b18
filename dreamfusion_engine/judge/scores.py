"""What the judge's similarities amount to. Pure functions. Axis letters: N pictures, C captions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def top1(similarity: Tensor, own: Sequence[int]) -> Tensor:
    """Whether each picture's best caption is its own: bool[N].

    similarity: float32[N, C]. own: index of each picture's caption. This is R-Precision with R = 1, as in Dream Fields
    (arXiv 2112.01455) and DreamFusion (arXiv 2209.14988, table 1).
    """
    return similarity.argmax(1) == torch.as_tensor(list(own), device=similarity.device)


def r_precision(similarity: Tensor, own: Sequence[int]) -> float:
    """Share of the pictures whose best caption is their own, in [0, 1]."""
    return float(top1(similarity, own).float().mean())
