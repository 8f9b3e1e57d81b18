"""The background behind the object in training."""

from __future__ import annotations

import torch
from torch import Tensor


def random_backgrounds(count: int, generator: torch.Generator) -> Tensor:
    """Return solid sRGB colours, float32[count, 3] in [0, 1]: over the whole range, half of them greys.

    The whole range matters: over bright backgrounds alone a white object need not be built to look white.

    count: int.
    generator: source of the random numbers.
    """
    device = generator.device
    colour = torch.rand(count, 3, generator=generator, device=device)
    grey = torch.rand(count, 1, generator=generator, device=device).expand(-1, 3)
    choice = torch.rand(count, 1, generator=generator, device=device) < 0.5
    return torch.where(choice, grey, colour)
