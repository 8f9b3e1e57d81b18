"""Where light comes from. Axis letters: B views."""

from __future__ import annotations

import torch
from torch import Tensor

# DreamFusion (arXiv 2209.14988, App. A.2) puts the light at a norm in [0.8, 1.5] with cameras at [1, 1.5] from the
# origin, and its direction around the camera's by N(0, 1). Both scale with the camera's distance here.
DISTANCE_SHARE = (0.8 / 1.25, 1.5 / 1.25)
SPREAD_SHARE = 1.0 / 1.25


def sample_lights(position: Tensor, generator: torch.Generator) -> Tensor:
    """Point lights float32[B, 3], world units, one for each camera position float32[B, 3] (DreamFusion, App. A.2).

    l = r normalize(p + |p| s e), e ~ N(0, I), r ~ U(0.64, 1.2) |p|. generator: on the positions' device.
    """
    count, device = position.shape[0], position.device
    distance = torch.linalg.vector_norm(position, dim=-1, keepdim=True)
    noise = torch.randn(count, 3, generator=generator, device=device)
    direction = torch.nn.functional.normalize(position + SPREAD_SHARE * distance * noise, dim=-1)
    low, high = DISTANCE_SHARE
    return (low + (high - low) * torch.rand(count, 1, generator=generator, device=device)) * distance * direction
