"""Light positions for training. Axis letters: B views."""

from __future__ import annotations

import torch
from torch import Tensor

# DreamFusion (arXiv 2209.14988, App. A.2) scatters the light's direction around the camera's by N(0, 1) a unit of
# camera distance. Here it stays nearer: sides that often lie in the dark end up in brighter, purer colours than the
# prompt asks for, because the model expects lit pictures. The starter's corpus is lit by the same function.
DISTANCE_SHARE = (0.9, 1.5)  # of the camera's distance
SPREAD_SHARE = 0.35


def sample_lights(position: Tensor, generator: torch.Generator) -> Tensor:
    """Return point lights float32[B, 3], world units, one for each camera.

    l = r normalize(p + |p| s e), e ~ N(0, I), s = 0.35, r ~ U(0.9, 1.5) |p|.

    position: float32[B, 3], p, positions of the cameras, world units.
    generator: on the positions' device.
    Source: after DreamFusion, arXiv 2209.14988, App. A.2.
    """
    count, device = position.shape[0], position.device
    distance = torch.linalg.vector_norm(position, dim=-1, keepdim=True)
    noise = torch.randn(count, 3, generator=generator, device=device)
    direction = torch.nn.functional.normalize(position + SPREAD_SHARE * distance * noise, dim=-1)
    low, high = DISTANCE_SHARE
    return (low + (high - low) * torch.rand(count, 1, generator=generator, device=device)) * distance * direction
