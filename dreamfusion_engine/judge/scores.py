"""Measures from the judge's similarities. Pure functions. Axis letters: N pictures, C captions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def top1(similarity: Tensor, own: Sequence[int]) -> Tensor:
    """Return whether each picture's best caption is its own: bool[N]. This is R-Precision with R = 1.

    similarity: float32[N, C].
    own: N indices, each picture's caption.
    Source: Dream Fields, arXiv 2112.01455; DreamFusion, arXiv 2209.14988, table 1.
    """
    return similarity.argmax(1) == torch.as_tensor(list(own), device=similarity.device)


def r_precision(similarity: Tensor, own: Sequence[int]) -> float:
    """Return the share of the pictures whose best caption is their own, in [0, 1].

    similarity: float32[N, C].
    own: N indices, each picture's caption.
    """
    return float(top1(similarity, own).float().mean())
