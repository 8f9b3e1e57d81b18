"""Light positions for training. Axis letters: B views."""

from __future__ import annotations

import torch
from torch import Tensor

# DreamFusion (arXiv 2209.14988, App. A.2) scatters the light around the camera by N(0, 1) at a distance of 1 to 1.5,
# which is 0.8 of the distance. For the starter it stays nearer: sides that often lie in the dark end up in brighter,
# purer colours than the prompt asks for, because the model expects lit pictures. The starter's corpus is lit alike.
DISTANCE_SHARE = (0.9, 1.5)  # of the camera's distance
SPREAD_SHARE = 0.35


def sample_lights(position: Tensor, generator: torch.Generator, spread: float = SPREAD_SHARE) -> Tensor:
    """Return point lights float32[B, 3], world units, one for each camera.

    l = r normalize(p + |p| s e), e ~ N(0, I), r ~ U(0.9, 1.5) |p|.

    position: float32[B, 3], p, positions of the cameras, world units.
    generator: on the positions' device.
    spread: float, s, camera distances.
    Source: after DreamFusion, arXiv 2209.14988, App. A.2.
    """
    count, device = position.shape[0], position.device
    distance = torch.linalg.vector_norm(position, dim=-1, keepdim=True)
    noise = torch.randn(count, 3, generator=generator, device=device)
    direction = torch.nn.functional.normalize(position + spread * distance * noise, dim=-1)
    low, high = DISTANCE_SHARE
    return (low + (high - low) * torch.rand(count, 1, generator=generator, device=device)) * distance * direction
